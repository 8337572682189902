//! One space: its root is fetched, verified and published here and nowhere else.

use crate::client::Failure;
use crate::codec::Code as _;
use crate::front::kv::{Condition, Tag, Written};
use crate::strawman::mailbox::ATTEMPTS;
use crate::strawman::toolkit::{Bytes32, PublicKeys, hash, open, seal};
use crate::strawman::tree::format::{Link, Root, Roster, Seen, SignedRoot, SignedRoster};
use crate::strawman::tree::{Freshness, TreeClient, Trust};
use crate::strawman::{unavailable, violation};

/// A root that passed every check that this client makes.
pub(crate) struct Loaded {
    pub(crate) root: Root,
    pub(crate) hash: Bytes32,
    /// Whether this device had seen the space before.
    pub(crate) remembered: bool,
    /// For conditional writes.
    pub(crate) tag: Tag,
}

impl Loaded {
    /// Whether it is this root, or one that follows it as far as the client can tell.
    fn shows(&self, hash: &Bytes32) -> bool {
        self.hash == *hash || self.root.history.contains(hash)
    }
}

impl TreeClient {
    /// The root that the server shows; `None` if it shows none.
    pub(crate) async fn load(&self, link: &Link) -> Result<Option<Loaded>, Failure> {
        // What is remembered now: another operation of this device may see more meanwhile.
        let seen = self.seen(&link.space);
        let Some(shown) = self.session.store.get(&link.location()).await? else {
            return Ok(None);
        };
        let (key, associated) = link.root_seal();
        let signed = open(&key, &associated, &shown.bytes);
        let signed = signed.ok_or_else(|| violation("inauthentic"))?;
        let hash = hash(&[&signed]);
        let signed = SignedRoot::from_bytes(&signed).ok_or_else(|| violation("malformed"))?;
        let root = Root::from_bytes(&signed.root).ok_or_else(|| violation("malformed"))?;
        if root.space != link.space {
            return Err(violation("misbound"));
        }
        self.check_roster(link, &root.roster).await?;
        self.check_author(&root, &signed).await?;
        check_freshness(self.design.freshness, seen.as_ref(), &root, &hash)?;
        self.remember(&root, hash).await?;
        Ok(Some(Loaded {
            root,
            hash,
            remembered: seen.is_some(),
            tag: shown.tag,
        }))
    }

    async fn check_roster(&self, link: &Link, signed: &SignedRoster) -> Result<(), Failure> {
        let roster = &signed.roster;
        if roster.space != link.space || roster.epoch != link.epoch {
            return Err(violation("misbound"));
        }
        let owner = self.vouched(&link.owner, &link.owner_keys).await?;
        if owner
            .signing
            .verifies(&roster.signed_bytes(), &signed.signature)
        {
            Ok(())
        } else {
            Err(violation("inauthentic"))
        }
    }

    async fn check_author(&self, root: &Root, signed: &SignedRoot) -> Result<(), Failure> {
        let author = root.roster.roster.member(&root.author);
        let author = author.ok_or_else(|| violation("revoked-author"))?;
        let keys = self.vouched(&author.user, &author.keys).await?;
        if keys
            .signing
            .verifies(&signed.signed_bytes(), &signed.signature)
        {
            Ok(())
        } else {
            Err(violation("inauthentic"))
        }
    }

    /// The keys of somebody whose fingerprint a trusted place states; without pins, whatever the
    /// key server says today.
    async fn vouched(&self, user: &str, fingerprint: &Bytes32) -> Result<PublicKeys, Failure> {
        let keys = self.session.published_keys(user).await?;
        let keys = keys.ok_or_else(|| unavailable("withheld"))?;
        if self.design.trust == Trust::Pinned && keys.fingerprint() != *fingerprint {
            return Err(violation("key-changed"));
        }
        Ok(keys)
    }

    /// Writes the first root of a space of one's own, and remembers it.
    pub(crate) async fn publish_first(&self, link: &Link, root: &Root) -> Result<(), Failure> {
        // Nobody else can name the place.
        let (_, hash) = self.write_root(link, root, Condition::Always).await?;
        self.remember(root, hash).await
    }

    /// Signs, seals and writes a root. Nothing is remembered: it may not stand.
    pub(crate) async fn write_root(
        &self,
        link: &Link,
        root: &Root,
        condition: Condition,
    ) -> Result<(Written, Bytes32), Failure> {
        let account = self.session.account()?;
        let dice = &self.session.dice;
        let mut signed = SignedRoot {
            root: root.to_bytes(),
            signature: Vec::new(),
        };
        signed.signature = account.keys.sign(dice, &signed.signed_bytes());
        let signed = signed.to_bytes();
        let (key, associated) = link.root_seal();
        let sealed = seal(dice, &key, &associated, &signed);
        let store = &self.session.store;
        let written = store.put(&link.location(), sealed, condition).await?;
        Ok((written, hash(&[&signed])))
    }

    /// The root that follows `before`, not yet changed.
    pub(crate) fn successor(&self, before: &Loaded) -> Result<Root, Failure> {
        let mut root = before.root.clone();
        root.version += 1;
        root.author.clone_from(&self.session.account()?.user);
        if self.design.freshness == Freshness::Chained {
            root.history.push(before.hash);
        }
        Ok(root)
    }

    /// Changes a space as one root; begins again if somebody was faster.
    pub(crate) async fn change<T>(
        &self,
        link: &Link,
        mut edit: impl FnMut(&mut Root) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut tried = None;
        for _ in 0..ATTEMPTS {
            let before = self.load(link).await?;
            let before = before.ok_or_else(|| unavailable("closed"))?;
            // A write that was refused may have taken effect all the same.
            match tried {
                Some((hash, result)) if before.shows(&hash) => return Ok(result),
                _ => {}
            }
            let mut root = self.successor(&before)?;
            let result = edit(&mut root)?;
            let condition = Condition::Matches { tag: before.tag };
            let (written, hash) = self.write_root(link, &root, condition).await?;
            if written == Written::Done {
                self.remember(&root, hash).await?;
                return Ok(result);
            }
            tried = Some((hash, result));
        }
        Err(unavailable("contended"))
    }

    /// Signs a roster of a space that is one's own.
    pub(crate) fn sign_roster(&self, roster: Roster) -> Result<SignedRoster, Failure> {
        let account = self.session.account()?;
        let signature = account
            .keys
            .sign(&self.session.dice, &roster.signed_bytes());
        Ok(SignedRoster { roster, signature })
    }
}

fn check_freshness(
    freshness: Freshness,
    seen: Option<&Seen>,
    root: &Root,
    hash: &Bytes32,
) -> Result<(), Failure> {
    if freshness == Freshness::Chained && root.history.len() as u64 != root.version {
        return Err(violation("malformed"));
    }
    let Some(seen) = seen else {
        return Ok(());
    };
    if root.version < seen.version || root.roster.roster.number < seen.roster {
        return Err(violation("rollback"));
    }
    if freshness == Freshness::Chained {
        let place = usize::try_from(seen.version).map_err(|_| violation("malformed"))?;
        let there = root.history.get(place).unwrap_or(hash);
        if *there != seen.hash {
            return Err(violation("fork"));
        }
    }
    Ok(())
}
