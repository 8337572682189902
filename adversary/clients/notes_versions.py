# For victims only: this client's cryptography is a construction of its own. Never for real use.
# notes.py with one real defence more: every tag binds name and version, and the device remembers the
# newest version of each file that it has seen. A deletion is a version too, so absence proves nothing.
import base64, hashlib, hmac, http.client, json, os, sys, urllib.error, urllib.parse, urllib.request

class Violation(Exception): pass
class Unavailable(Exception): pass

me = json.loads(sys.stdin.readline())
key = hashlib.pbkdf2_hmac("sha256", me["password"].encode(), me["user"].encode(), 100_000)
memory = os.path.join(me["state"], "newest.json")  # name -> [version, SHA-256 of the stored bytes]
newest = json.load(open(memory)) if os.path.exists(memory) else {}

def remember(name, version, blob):
    newest[name] = [version, hashlib.sha256(blob).hexdigest()]
    with open(memory + ".new", "w") as file:
        json.dump(newest, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(memory + ".new", memory)

def pad(nonce, data):  # XOR with the keystream HMAC(key, nonce, 0), HMAC(key, nonce, 1), ...
    blocks = (hmac.digest(key, b"pad" + nonce + i.to_bytes(8, "big"), "sha256") for i in range(len(data) // 32 + 1))
    stream = int.from_bytes(b"".join(blocks)[: len(data)], "big")
    return (int.from_bytes(data, "big") ^ stream).to_bytes(len(data), "big")

def tag(name, sealed):  # sealed: version (8), nonce (16), XORed content with its first byte 1, or 0 if deleted
    return hmac.digest(key, b"tag" + len(name.encode()).to_bytes(4, "big") + name.encode() + sealed, "sha256")

def store(method, name, data=None, headers={}):
    url = f"{me['url']}/obj/{urllib.parse.quote(me['user'] + '/' + name, safe='')}"
    try:
        return urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=5).read()
    except urllib.error.HTTPError as error:
        if error.code in (404, 412):
            return None
        raise

def fetch(name):  # -> version, stored bytes, content (None if deleted or never there)
    blob = store("GET", name)
    version, digest = newest.get(name, [0, None])
    if blob is None:
        if digest:
            raise Unavailable(f"{name} is withheld: version {version} was there")
        return 0, None, None
    if len(blob) < 57 or not hmac.compare_digest(blob[:32], tag(name, blob[32:])):
        raise Violation("inauthentic", f"{name} was tampered with, or is another file")
    offered = int.from_bytes(blob[32:40], "big")
    if offered < version:
        raise Violation("rollback", f"{name}: version {offered} after version {version}")
    if offered == version and hashlib.sha256(blob).hexdigest() != digest:
        raise Violation("fork", f"{name}: two contents of version {version}")
    if offered > version:
        remember(name, offered, blob)
    plain = pad(blob[40:56], blob[56:])
    return offered, blob, plain[1:] if plain[0] else None

def change(name, edit):  # writes on condition that nobody else did meanwhile, and tries again if so
    for _ in range(5):
        version, before, content = fetch(name)
        content = edit(content)
        plain = b"\0" if content is None else b"\1" + content
        sealed = (version + 1).to_bytes(8, "big") + (nonce := os.urandom(16)) + pad(nonce, plain)
        blob = tag(name, sealed) + sealed
        held = {"If-Match": f'"{hashlib.sha256(before).hexdigest()}"'} if before else {"If-None-Match": "*"}
        if store("PUT", name, blob, held) is not None:
            return remember(name, version + 1, blob)
    raise Unavailable(f"{name} changes all the time")

def existing(name, content):
    if content is None:
        raise KeyError(name)
    return content

def perform(op, name, content):
    names = lambda stored: set(json.loads(stored or b"[]"))
    if op == "login":
        return {"claims": {"monotone": bool(newest)}}
    elif op == "upload":
        change(name, lambda _: content)
        change("/names", lambda stored: json.dumps(sorted(names(stored) | {name})).encode())
    elif op == "append":
        change(name, lambda before: existing(name, before) + content)
    elif op == "download":
        known = name in newest
        content = existing(name, fetch(name)[2])
        return {"content": {"b64": base64.b64encode(content).decode()}, "claims": {"monotone": known}}
    elif op == "delete":
        change(name, lambda before: (existing(name, before), None)[1])
        change("/names", lambda stored: json.dumps(sorted(names(stored) - {name})).encode())
    elif op == "list":
        known = "/names" in newest
        return {"names": sorted(names(fetch("/names")[2])), "claims": {"monotone": known}}
    return {}

operations = ["login", "upload", "download", "append", "delete", "list"]
print(json.dumps({"turncoat": 1, "name": "notes_versions", "operations": operations, "claims": ["monotone"], "conditional": True}), flush=True)
for ask in map(json.loads, sys.stdin):
    try:
        answer = {"ok": True} | perform(ask["op"], ask.get("name"), base64.b64decode(ask.get("content", {}).get("b64", "")))
    except Violation as caught:
        answer = {"ok": False, "class": "violation", "error": caught.args[0], "text": caught.args[1]}
    except KeyError as error:
        answer = {"ok": False, "class": "usage", "error": "no-such-file", "text": str(error)}
    except (Unavailable, OSError, http.client.HTTPException) as error:
        answer = {"ok": False, "class": "unavailable", "error": "withheld" if isinstance(error, Unavailable) else "refused", "text": str(error)}
    print(json.dumps({"id": ask["id"]} | answer), flush=True)
