//! Acts on the store, as steps say them.

use super::deceived::Deceived;
use super::{Acts, Stage};
use crate::acts::NoSuchObject;
use crate::attack::{Object, Step};
use crate::history::Event;
use crate::honest::store::{self, Versions};
use crate::selector::Audience;

impl Stage {
    /// Evaluates an act, and applies it unless the run is honest.
    pub(super) fn act(&mut self, act: &Step) -> Result<(), String> {
        // A server that acts in parts of a run alone is honest again at the end of each.
        let ends = self.only.is_some() && matches!(act, Step::Heal);
        let applied = self.acts == Acts::Applied || ends;
        if matches!(act, Step::Heal) {
            for hook in &mut self.hooks {
                hook.over = true;
            }
            // What is still on its way arrives now or never, and now is the harder case.
            self.late_ones_arrive(u32::MAX);
            // What was done up to here is over, unless what comes of it is still to be seen.
            if std::mem::take(&mut self.judged_attack) {
                self.deceived = Deceived::default();
            }
        }
        let mut versions = self.versions.clone();
        let result = self.apply(&mut versions, act)?;
        if applied {
            // What an honest run did not apply may be what this act is about, so only here does
            // the object have to be there.
            result.map_err(|NoSuchObject| format!("there is no such object for {act}"))?;
            self.versions = versions;
        }
        self.history.push(Event::Act {
            text: act.to_string(),
            applied,
        });
        Ok(())
    }

    fn apply(
        &self,
        versions: &mut Versions,
        act: &Step,
    ) -> Result<Result<(), NoSuchObject>, String> {
        let key = |object: &Object| self.key_of(object);
        Ok(match act {
            Step::RollBackTo { snapshot, audience } => {
                let Some(moment) = self.snapshots.get(*snapshot as usize) else {
                    return Err(format!("there is no snapshot {snapshot}"));
                };
                versions.roll_back_to(*moment, audience);
                Ok(())
            }
            Step::Flip {
                object,
                bit,
                audience,
            } => versions.flip(&key(object)?, *bit, audience),
            Step::Truncate {
                object,
                size,
                audience,
            } => versions.truncate(&key(object)?, *size, audience),
            Step::Extend {
                object,
                bytes,
                audience,
            } => versions.extend(&key(object)?, bytes, audience),
            Step::Zero { object, audience } => versions.zero(&key(object)?, audience),
            Step::Replace {
                object,
                by,
                audience,
            } => {
                let key = key(object)?;
                match self.version_of(by)? {
                    Some(by) => versions.replace(&key, &by, audience),
                    None => Err(NoSuchObject),
                }
            }
            Step::Swap {
                first,
                second,
                audience,
            } => versions.swap(&key(first)?, &key(second)?, audience),
            Step::Hide { object, audience } => versions.hide(&key(object)?, audience),
            Step::Resurrect { object, audience } => versions.resurrect(&key(object)?, audience),
            Step::RollBack {
                object,
                versions: back,
                audience,
            } => versions.roll_back(&key(object)?, *back, audience),
            Step::Put {
                object,
                bytes,
                audience,
            } => {
                versions.put(&key(object)?, bytes.clone(), audience);
                Ok(())
            }
            other => {
                apply_to_views(versions, other);
                Ok(())
            }
        })
    }

    /// The version that an operation wrote, or else the one that everyone is shown.
    fn version_of(&self, object: &Object) -> Result<Option<store::Object>, String> {
        let key = self.key_of(object)?;
        Ok(match object {
            Object::Written { operation, index } => self
                .versions
                .wrote(*operation)
                .into_iter()
                .nth(*index as usize),
            Object::Key { .. } => self.versions.object(&key, &Audience::Everyone),
        })
    }
}

fn apply_to_views(versions: &mut Versions, act: &Step) {
    match act {
        Step::HideAll { audience } => versions.hide_all(audience),
        Step::Fork { audience } => versions.fork(audience),
        Step::Join => versions.join(),
        Step::Show { audience, of } => versions.show(audience, of),
        Step::Freeze { audience } => versions.freeze(audience),
        Step::Heal => versions.heal(),
        // The workload does not come here.
        _ => {}
    }
}
