//! The API server in memory alone, for whoever wants to hold it against the real one.

use kube::Client;
use rand::{SeedableRng as _, rngs::SmallRng};
use taurus_port_operator::crd::TaurusProxyPort;

use crate::{
    life::Life,
    server::client,
    sky::{Mode, Sky},
    world::{Shared, World},
};

/// The API server in memory, with nothing in it; needs a runtime.
pub struct Fake(Shared);

impl Default for Fake {
    fn default() -> Self {
        let sky = Sky::new(Mode::Hidden, 3306);
        let random = SmallRng::seed_from_u64(0);
        Self(Shared::new(World::new(random, None, sky, false, false)))
    }
}

impl Fake {
    /// A client of it.
    pub fn client(&self) -> Client {
        let life = Life::new(0, "somebody".to_owned());
        client(self.0.clone(), life)
    }

    /// Somebody creates a resource.
    pub fn create(&self, object: TaurusProxyPort) {
        self.0.lock().cluster.create(object, 0);
    }

    /// Somebody edits a resource.
    pub fn edit(&self, name: &str, change: impl FnOnce(&mut TaurusProxyPort)) {
        self.0.lock().cluster.edit(name, 0, change);
    }

    /// Somebody deletes a resource.
    pub fn delete(&self, name: &str) {
        self.0.lock().cluster.delete(name, 0);
    }
}
