//! Upload, download, append and delete of the tree clients.

use crate::client::{Failure, Outcome};
use crate::front::kv::Condition;
use crate::strawman::session::PIECE_SIZE;
use crate::strawman::toolkit::{hash, open, seal};
use crate::strawman::tree::TreeClient;
use crate::strawman::tree::format::{Piece, Record, Root, piece_location};
use crate::strawman::tree::space::Loaded;
use crate::strawman::{unavailable, usage, violation};

/// How often a file is read anew because it was replaced while it was read.
const READS: usize = 4;

impl TreeClient {
    async fn write_pieces(&self, content: &[u8]) -> Result<Vec<Piece>, Failure> {
        let mut pieces = Vec::new();
        for part in content.chunks(PIECE_SIZE) {
            let dice = &self.session.dice;
            let (id, key) = (dice.roll(), dice.roll());
            let sealed = seal(dice, &key, &id, part);
            let hash = hash(&[&sealed]);
            let location = piece_location(&id);
            let store = &self.session.store;
            store.put(&location, sealed, Condition::Always).await?;
            pieces.push(Piece { id, key, hash });
        }
        Ok(pieces)
    }

    /// `None` if the server denies it.
    async fn read_piece(&self, piece: &Piece) -> Result<Option<Vec<u8>>, Failure> {
        let Some(shown) = self.session.store.get(&piece.location()).await? else {
            return Ok(None);
        };
        if hash(&[&shown.bytes]) != piece.hash {
            return Err(violation("misbound"));
        }
        let opened = open(&piece.key, &piece.id, &shown.bytes);
        opened.map(Some).ok_or_else(|| violation("inauthentic"))
    }

    pub(crate) async fn upload_many(&self, files: &[(Vec<u8>, Vec<u8>)]) -> Result<(), Failure> {
        let mut written = Vec::new();
        for (name, content) in files {
            written.push((name, self.write_pieces(content).await?));
        }
        let (link, private) = self.private().await?;
        let (shared, own): (Vec<_>, Vec<_>) = written.into_iter().partition(|(name, _)| {
            matches!(private.root.find(name), Some(Record::Elsewhere { .. }))
        });
        if !own.is_empty() {
            self.change(&link, |root| replace_all(root, &own)).await?;
        }
        for (name, pieces) in shared {
            let (link, _) = self.follow(name, &private.root).await?;
            let own = [(&Vec::new(), pieces)];
            self.change(&link, |root| replace_all(root, &own)).await?;
        }
        Ok(())
    }

    pub(crate) async fn append(&self, name: &[u8], content: &[u8]) -> Result<(), Failure> {
        let (mut link, private) = self.private().await?;
        let record = private.root.find(name);
        let shared = match record.ok_or_else(|| usage("no-such-file"))? {
            Record::File { .. } => false,
            Record::Elsewhere { .. } => true,
        };
        let mut place = name;
        if shared {
            (link, _) = self.follow(name, &private.root).await?;
            place = b"";
        }
        let more = self.write_pieces(content).await?;
        self.change(&link, |root| match root.find_mut(place) {
            Some(Record::File { pieces }) => {
                pieces.extend_from_slice(&more);
                Ok(())
            }
            Some(Record::Elsewhere { .. }) => Err(unavailable("contended")),
            None => Err(usage("no-such-file")),
        })
        .await
    }

    pub(crate) async fn download(&self, name: &[u8]) -> Outcome {
        let mut last = None;
        for _ in 0..READS {
            let (_, private) = self.private().await?;
            let (loaded, place) = match private.root.find(name) {
                Some(Record::File { .. }) => (None, name),
                Some(Record::Elsewhere { .. }) => {
                    (Some(self.follow(name, &private.root).await?.1), &b""[..])
                }
                None => return Err(usage("no-such-file")),
            };
            let remembered = private.remembered && loaded.as_ref().is_none_or(|it| it.remembered);
            let Loaded { root, hash, .. } = loaded.unwrap_or(private);
            if let Some(content) = self.read_pieces(root.pieces(place)?).await? {
                let mut answer = self.answer_of_read(remembered);
                answer.content = Some(content);
                return Ok(answer);
            }
            if last == Some(hash) {
                return Err(violation("missing"));
            }
            last = Some(hash);
        }
        Err(unavailable("withheld"))
    }

    async fn read_pieces(&self, pieces: &[Piece]) -> Result<Option<Vec<u8>>, Failure> {
        let mut content = Vec::new();
        for piece in pieces {
            let Some(part) = self.read_piece(piece).await? else {
                return Ok(None);
            };
            content.extend(part);
        }
        Ok(Some(content))
    }

    pub(crate) async fn delete(&self, name: &[u8]) -> Result<(), Failure> {
        let (link, private) = self.private().await?;
        let own = match private.root.find(name) {
            Some(Record::Elsewhere { link }) if link.owner == private.root.author => {
                self.follow(name, &private.root).await.ok()
            }
            _ => None,
        };
        self.change(&link, |root| {
            let at = root.entries.iter().position(|entry| entry.name == name);
            let at = at.ok_or_else(|| usage("no-such-file"))?;
            root.entries.remove(at);
            Ok(())
        })
        .await?;
        // An own shared file is taken away from everybody.
        if let Some((link, _)) = own {
            let store = &self.session.store;
            store.delete(&link.location(), Condition::Always).await?;
        }
        Ok(())
    }
}

/// Gives each name new pieces. The old ones stay: taking away what no root reaches any more is a
/// command of its own in a client like this.
fn replace_all(root: &mut Root, files: &[(&Vec<u8>, Vec<Piece>)]) -> Result<(), Failure> {
    for (name, pieces) in files {
        if let Some(Record::Elsewhere { .. }) = root.find(name) {
            return Err(unavailable("contended"));
        }
        let pieces = pieces.clone();
        root.set(name, Record::File { pieces });
    }
    Ok(())
}
