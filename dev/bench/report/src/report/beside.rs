//! This project beside every peer of the same durability.

use super::{
    document::{Block, Table},
    servers::Server,
};
use crate::http::HANDLERS;

/// A table of all pairs, and the places where one of ours is behind.
pub(crate) fn blocks(servers: &[Server]) -> Vec<Block> {
    let table = table(servers);
    if table.rows.is_empty() {
        return Vec::new();
    }
    let intro = "**Beside the peers of the same durability**: what the peer takes of processor time, \
                 each as a multiple of its own bare framework, divided by what ours takes; and \
                 what ours answers in a second, divided by what the peer answers. Above 1 ours is \
                 ahead. What the browser keeps outlives the process, so it is beside what outlives \
                 a crash. One of ours that asks Redis is beside those that do.";
    vec![
        Block::Text(intro.to_owned()),
        Block::Table(table),
        Block::Text(match behind(servers) {
            (0, of) => format!("Ahead in all of {of} comparisons."),
            (some, of) => format!("**Behind in {some} of {of} comparisons**, which are strong."),
        }),
    ]
}

fn pairs(servers: &[Server]) -> impl Iterator<Item = (&Server, &Server)> {
    let class = |server: &Server| match &*server.durability {
        "kept by the browser" => "process crash".to_owned(),
        other => other.to_owned(),
    };
    let redis = |server: &Server| server.name.to_lowercase().contains("redis");
    servers.iter().filter(|ours| ours.side == "ours").flat_map(move |ours| {
        servers
            .iter()
            .filter(move |peer| peer.side == "peer" && class(peer) == class(ours))
            .filter(move |peer| !redis(ours) || redis(peer))
            .map(move |peer| (ours, peer))
    })
}

/// For a handler: by how much ours takes less, and answers more.
fn ahead(ours: &Server, peer: &Server, handler: usize) -> Option<(f64, f64)> {
    let (ours, peer) = ours.figures[handler].zip(peer.figures[handler])?;
    Some((peer.times / ours.times, ours.rate / peer.rate))
}

fn table(servers: &[Server]) -> Table {
    let mut head = vec!["ours".to_owned(), "peer".to_owned(), "durability".to_owned()];
    head.extend(HANDLERS.map(|handler| format!("{handler}, CPU")));
    head.extend(HANDLERS.map(|handler| format!("{handler}, rate")));
    let head: Vec<_> = head.iter().map(String::as_str).collect();
    let mut table = Table::new(3, &head);
    for (ours, peer) in pairs(servers) {
        let all: Vec<_> = (0..HANDLERS.len()).map(|at| ahead(ours, peer, at)).collect();
        let mut row = vec![ours.name.clone(), peer.name.clone(), ours.durability.clone()];
        let told = |it: Option<f64>| match it {
            Some(it) if it < 1.0 => format!("**{it:.2}**"),
            Some(it) => format!("{it:.2}"),
            None => String::new(),
        };
        row.extend(all.iter().map(|it| told(it.map(|(cpu, _)| cpu))));
        row.extend(all.iter().map(|it| told(it.map(|(_, rate)| rate))));
        table.rows.push(row);
    }
    table
}

/// In how many comparisons ours is behind, and of how many.
fn behind(servers: &[Server]) -> (usize, usize) {
    let each = pairs(servers)
        .flat_map(|(ours, peer)| (0..HANDLERS.len()).filter_map(|at| ahead(ours, peer, at)));
    let ratios: Vec<_> = each.flat_map(|(cpu, rate)| [cpu, rate]).collect();
    (ratios.iter().filter(|ratio| **ratio < 1.0).count(), ratios.len())
}

#[cfg(test)]
mod tests {
    use super::{super::servers::tests::server, behind, table};

    #[test]
    fn ours_is_beside_peers_of_its_durability() {
        let servers = [
            server("store", "ours", "process crash", 1.5, 300.0),
            server("our Redis", "ours", "process crash", 4.0, 100.0),
            server("cookie", "peer", "kept by the browser", 3.0, 150.0),
            server("Redis", "peer", "process crash", 2.0, 200.0),
            server("memory", "peer", "memory", 1.1, 900.0),
        ];
        let rows: Vec<_> = table(&servers).rows.iter().map(|row| row.join("|")).collect();
        assert_eq!(
            rows,
            [
                "store|cookie|process crash|2.00|2.00||2.00|2.00|",
                "store|Redis|process crash|1.33|1.33||1.50|1.50|",
                "our Redis|Redis|process crash|**0.50**|**0.50**||**0.50**|**0.50**|",
            ]
        );
        assert_eq!(behind(&servers), (4, 12));
        assert_eq!(behind(&servers[..1]), (0, 0));
    }
}
