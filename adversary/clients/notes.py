# For victims only: this client's cryptography is a construction of its own. Never for real use.
import base64, hashlib, hmac, json, os, sys, urllib.error, urllib.parse, urllib.request

me = json.loads(sys.stdin.readline())
key = hashlib.pbkdf2_hmac("sha256", me["password"].encode(), me["user"].encode(), 100_000)

def store(method, name, data=None):
    url = f"{me['url']}/obj/{urllib.parse.quote(me['user'] + '/' + name, safe='')}"
    try:
        return urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=5).read()
    except urllib.error.HTTPError as error:
        raise KeyError(name) if error.code == 404 else error

def pad(nonce, data):  # XOR with the keystream HMAC(key, nonce, 0), HMAC(key, nonce, 1), ...
    blocks = (hmac.digest(key, b"pad" + nonce + i.to_bytes(8, "big"), "sha256") for i in range(len(data) // 32 + 1))
    stream = int.from_bytes(b"".join(blocks)[: len(data)], "big")
    return (int.from_bytes(data, "big") ^ stream).to_bytes(len(data), "big")

def write(name, content):
    sealed = (nonce := os.urandom(16)) + pad(nonce, content)
    store("PUT", name, hmac.digest(key, b"tag" + sealed, "sha256") + sealed)

def read(name):
    blob = store("GET", name)
    if len(blob) < 48 or not hmac.compare_digest(blob[:32], hmac.digest(key, b"tag" + blob[32:], "sha256")):
        raise ValueError(f"{name} was tampered with")
    return pad(blob[32:48], blob[48:])

def names():
    try:
        return set(json.loads(read("/names")))
    except KeyError:
        return set()

def perform(op, name, content):
    if op == "list":
        return {"names": sorted(names())}
    if op == "download":
        return {"content": {"b64": base64.b64encode(read(name)).decode()}}
    if op == "delete":
        store("DELETE", name)
    else:
        write(name, read(name) + content if op == "append" else content)
    write("/names", json.dumps(sorted(names() - {name} if op == "delete" else names() | {name})).encode())
    return {}

print(json.dumps({"turncoat": 1, "name": "notes", "operations": ["upload", "download", "append", "delete", "list"]}), flush=True)
for ask in map(json.loads, sys.stdin):
    try:
        answer = {"ok": True} | perform(ask["op"], ask.get("name"), base64.b64decode(ask.get("content", {}).get("b64", "")))
    except Exception as error:
        words = {ValueError: ("violation", "inauthentic"), KeyError: ("usage", "no-such-file")}
        kind, word = words.get(type(error), ("unavailable", "refused"))
        answer = {"ok": False, "class": kind, "error": word, "text": str(error)}
    print(json.dumps({"id": ask["id"]} | answer), flush=True)
