//! Several servers that share the keys.

use super::{Server, server::free_port, until};

/// A Cluster, with as many replicas for each master as were asked for.
pub(crate) struct Cluster {
    pub(crate) masters: Vec<Server>,
    pub(crate) replicas: Vec<Server>,
}

const SLOTS: usize = 16_384;

impl Cluster {
    pub(crate) fn start(masters: usize, with_replicas: bool) -> Self {
        let masters: Vec<_> = (0..masters).map(|_| node()).collect();
        let replicas: Vec<_> = masters.iter().filter(|_| with_replicas).map(|_| node()).collect();
        let first = &masters[0];
        let share = SLOTS.div_ceil(masters.len());
        for (at, master) in masters.iter().enumerate() {
            let (from, to) = (at * share, ((at + 1) * share).min(SLOTS) - 1);
            let range = [from.to_string(), to.to_string()];
            master.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]);
            let epoch = (at + 1).to_string();
            master.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
        }
        let (port, bus) = (first.port.to_string(), bus_port(first));
        for other in masters[1..].iter().chain(&replicas) {
            other.ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let cluster = Self { masters, replicas };
        cluster.settles();
        for (replica, master) in cluster.replicas.iter().zip(&cluster.masters) {
            let id: String = master.ask(&["CLUSTER", "MYID"]);
            replica.ask::<()>(&["CLUSTER", "REPLICATE", &id]);
        }
        for (replica, master) in cluster.replicas.iter().zip(&cluster.masters) {
            follows(replica, master);
        }
        cluster.settles();
        cluster
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Server> {
        self.masters.iter().chain(&self.replicas)
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.nodes().map(Server::url).collect()
    }

    /// Waits until every node knows all others and the whole is up.
    fn settles(&self) {
        let known = format!("cluster_known_nodes:{}\r\n", self.nodes().count());
        for node in self.nodes() {
            until("the Cluster comes up", || {
                let info: String = node.ask(&["CLUSTER", "INFO"]);
                (info.contains("cluster_state:ok") && info.contains(&known)).then_some(())
            });
        }
    }
}

/// Waits until `replica` follows `master`, and has told it how far it is.
pub(crate) fn follows(replica: &Server, master: &Server) {
    until("a replica follows", || {
        let info: String = master.ask(&["INFO", "replication"]);
        let field =
            |name: &str| info.split([',', '\n']).find_map(|it| it.trim().strip_prefix(name));
        let acknowledged = field("offset=").filter(|it| *it != "0");
        let up = replica.ask::<String>(&["INFO", "replication"]).contains("link_status:up");
        (up && acknowledged.is_some() && acknowledged == field("master_repl_offset:")).then_some(())
    });
}

fn node() -> Server {
    let bus = free_port().to_string();
    Server::start(&[
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        &bus,
        "--cluster-node-timeout",
        "1000",
        "--cluster-replica-validity-factor",
        "0",
        "--repl-diskless-sync-delay",
        "0",
    ])
}

fn bus_port(server: &Server) -> String {
    let config: Vec<String> = server.ask(&["CONFIG", "GET", "cluster-port"]);
    config[1].clone()
}
