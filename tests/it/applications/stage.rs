//! What all of it takes: the network, a database behind the proxies, a cluster with kube-proxy, and the operator as its program.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::core::v1::Service;
use kube::Api;
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{JobPlan, Mode, Options, sample};

use super::network::{self, Database, KubeProxy};
use crate::{
    stories::publication::{self, SERVICE},
    world::{World, controllers::Controllers, is_ready_with, program::Program},
};

/// At what applications find their database.
pub const PORT: u16 = 3306;

/// All that runs. Fields end in their order: the operator before what it works with.
pub struct Stage {
    program: Option<Program>,
    pace: &'static str,
    /// The cluster, the cloud and the resource.
    pub world: World,
    /// Each port that a slice ever led to.
    pub ports: Arc<Mutex<Vec<(i32, u64)>>>,
    /// The address of the Service.
    pub host: String,
    _kube_proxy: KubeProxy,
    _controllers: Controllers,
    _database: Database,
}

impl Stage {
    /// Sets it in a network that is empty: a resource is settled, and its Service leads to the proxy. By `pace` the operator's durations are
    /// divided.
    pub async fn set(pace: &'static str, job: JobPlan) -> Self {
        network::make();
        let database = Database::start();
        let options = Options {
            database: Some(database.address),
            job,
            ..Options::default().mode(Mode::M2)
        };
        let world = World::without_operator(options).await;
        publication::allow(&world).await;
        let controllers = Controllers::start(&world.plane);
        let kube_proxy = KubeProxy::start(&world).await;
        let program = operator(&world, pace).await;
        let ports = publication::recorded(&world);
        let resource = publication::published(&world, sample::PORT);
        world.create(&resource).await;
        let mut stage = Self {
            program: Some(program),
            pace,
            world,
            ports,
            host: String::new(),
            _kube_proxy: kube_proxy,
            _controllers: controllers,
            _database: database,
        };
        stage.until_ready(sample::PORT).await;
        stage.host = stage.cluster_ip().await;
        stage
    }

    /// Kills the operator, and starts it again.
    pub async fn restart(&mut self) {
        self.program.take().expect("one runs").kill().await;
        self.program = Some(operator(&self.world, self.pace).await);
    }

    /// Waits until the port was verified.
    pub async fn until_ready(&self, port: u16) {
        let is_ready = |object: &TaurusProxyPort| is_ready_with(object, port);
        self.world
            .until(&format!("ready at {port}"), is_ready)
            .await;
    }

    /// The address of the Service, as it is now.
    pub async fn cluster_ip(&self) -> String {
        let service = self.services().get(SERVICE).await.unwrap();
        service.spec.unwrap().cluster_ip.unwrap()
    }

    /// The Services of the namespace.
    pub fn services(&self) -> Api<Service> {
        Api::namespaced(self.world.client.clone(), &self.world.namespace)
    }
}

/// A job that can be queried at once.
pub fn job(lasts: Duration) -> JobPlan {
    JobPlan::lasting(lasts).visible_after(Duration::ZERO)
}

async fn operator(world: &World, pace: &str) -> Program {
    // The least that the shipped pace allows: what somebody else has moved is seen soon.
    let resync = if pace == "1" { "10s" } else { "2s" };
    let environment = [("TAURUS_PACE", pace)];
    Program::start_with(world, &environment, &["--resync", resync]).await
}
