//! Topologies: small cases by hand, what holds for all of them, and every refusal.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

use lnn_graph::topology::Boundary::{Fixed, Free, Periodic};
use lnn_graph::topology::{Boundary, OUTSIDE, Place, Topology, TopologyError, TopologyKind};
use proptest::prelude::*;

const X: u32 = OUTSIDE;

#[test]
fn lines_by_hand() {
    let ring = Topology::line(3, Periodic).unwrap();
    assert_eq!(ring.kind(), TopologyKind::Line { boundary: Periodic });
    assert_eq!(ring.edges(), [[0, 1], [0, 2], [1, 2]]);
    assert_eq!(ring.stencil().unwrap().indices, [2, 0, 1, 0, 1, 2, 1, 2, 0]);
    assert_eq!(ring.stencil().unwrap().centre(), 1);
    assert_eq!(ring.neighbours(2), [0, 1]);
    assert_eq!(ring.neighbour_edges(2), [1, 2]);
    assert_eq!(ring.positions().unwrap(), [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]);

    let fixed = Topology::line(3, Fixed).unwrap();
    assert_eq!(fixed.stencil().unwrap().indices, [X, 0, 1, 0, 1, 2, 1, 2, X]);
    assert_eq!((0..3).map(|site| fixed.neighbours_outside(site)).collect::<Vec<_>>(), [1, 0, 1]);
    let free = Topology::line(3, Free).unwrap();
    assert_eq!(free.stencil().unwrap().indices, [0, 0, 1, 0, 1, 2, 1, 2, 2]);
    assert_eq!((0..3).map(|site| free.neighbours_outside(site)).collect::<Vec<_>>(), [0, 0, 0]);
    for open in [&fixed, &free] {
        assert_eq!(open.edges(), [[0, 1], [1, 2]]);
        assert_eq!(open.neighbours(0), [1]);
        assert_eq!(open.most_neighbours(), 2);
    }
}

#[test]
fn one_site_alone() {
    for (boundary, places, outside) in [(Fixed, [X, 0, X], 2), (Free, [0, 0, 0], 0)] {
        let line = Topology::line(1, boundary).unwrap();
        assert_eq!(line.stencil().unwrap().of(0), places);
        assert_eq!(line.neighbours_outside(0), outside);
        assert_eq!(line.edges(), [[0_usize; 2]; 0]);
        assert_eq!(line.isolated().collect::<Vec<_>>(), [0]);
    }
}

#[test]
fn grids_by_hand() {
    // 0 1 2     rows are periodic: 0 3 6 is a ring; columns are fixed.
    // 3 4 5
    // 6 7 8
    let grid = Topology::grid([3, 3], [Periodic, Fixed]).unwrap();
    let stencil = grid.stencil().unwrap();
    assert_eq!(stencil.width, 5);
    assert_eq!(stencil.centre(), 2);
    assert_eq!(stencil.of(0), [6, X, 0, 1, 3]);
    assert_eq!(stencil.of(4), [1, 3, 4, 5, 7]);
    assert_eq!(stencil.of(8), [5, 7, 8, X, 2]);
    assert_eq!(grid.neighbours(0), [1, 3, 6]);
    assert_eq!(grid.edges().len(), 3 * 3 + 3 * 2);
    let corner = Topology::grid([2, 4], [Fixed, Fixed]).unwrap();
    assert_eq!(corner.neighbours_outside(0), 2);
    assert_eq!(corner.stencil().unwrap().of(5), [1, 4, 5, 6, X]);
    assert_eq!(corner.positions().unwrap()[6], [1.0, 2.0]);
    let free = Topology::grid([1, 2], [Free, Free]).unwrap();
    assert_eq!(free.stencil().unwrap().indices, [0, 0, 0, 1, 0, 1, 0, 1, 1, 1]);
    assert_eq!(free.edges(), [[0, 1]]);
}

#[test]
fn graphs_by_hand() {
    let graph = Topology::graph_with_attributes(5, &[[3, 1], [0, 1], [3, 0]], 2, &[5.0, 6.0, 1.0, 2.0, 3.0, 4.0]);
    let graph = graph.unwrap();
    assert_eq!(graph.kind(), TopologyKind::Graph);
    assert_eq!(graph.edges(), [[0, 1], [0, 3], [1, 3]]);
    assert_eq!(graph.edge_attributes(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(graph.attributes_per_edge(), 2);
    assert_eq!(graph.isolated().collect::<Vec<_>>(), [2, 4]);
    assert_eq!(graph.neighbours_outside(2), 0);
    assert_eq!(graph.stencil(), None);
    assert_eq!(graph.positions(), None);
}

#[test]
fn edge_lists() {
    let text = "# a comment first\n\n sites 6\r\n0 1 0.5 -2e3 # and one behind\n\n\t4   2 1 7\n";
    let graph = Topology::parse_edge_list(text, "a.txt").unwrap();
    assert_eq!(graph.sites(), 6);
    assert_eq!(graph.edges(), [[0, 1], [2, 4]]);
    assert_eq!(graph.edge_attributes(), [0.5, -2e3, 1.0, 7.0]);
    let expected = Topology::graph_with_attributes(6, &[[0, 1], [2, 4]], 2, &[0.5, -2e3, 1.0, 7.0]).unwrap();
    assert_eq!(graph, expected);
    assert_eq!(Topology::parse_edge_list("7 3", "a.txt").unwrap().sites(), 8);
    assert_eq!(Topology::parse_edge_list("sites 2", "a.txt").unwrap().isolated().count(), 2);
}

fn line(n: usize) -> Place {
    Place::Line { text: "net.txt".to_owned(), line: n }
}

#[test]
fn refused_edge_lists_name_the_line() {
    let refused = |text: &str| Topology::parse_edge_list(text, "net.txt").unwrap_err();
    let cases: &[(&str, TopologyError, &str)] = &[
        (
            "0 1\n\n2 2\n",
            TopologyError::SelfLoop { place: line(3), site: 2 },
            "net.txt, line 3: the edge 2 2 joins a site to itself; remove it",
        ),
        (
            "0 1\n1 2\n# x\n1 0\n2 1\n",
            TopologyError::DuplicateEdge { place: line(4), first: line(1), edge: [1, 0] },
            "net.txt, line 4: the edge 1 0 was given before, at net.txt, line 1; give each pair of neighbours once",
        ),
        (
            "sites 3\n0 1\n1 3\n",
            TopologyError::SiteOutOfRange { place: line(3), site: 3, sites: 3 },
            "net.txt, line 3: there is no site 3, the 3 sites are numbered from 0 to 2; correct the edge or give more \
             sites",
        ),
        (
            "0 1\n2 #3\n",
            TopologyError::TooFewColumns { place: line(2), given: "2".to_owned() },
            "net.txt, line 2: `2` is no edge; give two sites, `i j`, separated by spaces",
        ),
        (
            "0 -1\n",
            TopologyError::NotASite { place: line(1), given: "-1".to_owned() },
            "net.txt, line 1: `-1` is no site; sites are whole numbers from 0, separated by spaces",
        ),
        (
            "0 1 a\n",
            TopologyError::NotANumber { place: line(1), given: "a".to_owned() },
            "net.txt, line 1: `a` is no number; after the two sites come numbers, the attributes of the edge",
        ),
        (
            "# x\n0 1\n1 2 3.5\n",
            TopologyError::UnequalAttributes { place: line(3), first: line(2), given: 1, expected: 0 },
            "net.txt, line 3: 1 attributes, the edge at net.txt, line 2 has 0; give every edge the same number",
        ),
        (
            "0 1 2\n1 2 3 inf\n",
            TopologyError::UnequalAttributes { place: line(2), first: line(1), given: 2, expected: 1 },
            "net.txt, line 2: 2 attributes, the edge at net.txt, line 1 has 1; give every edge the same number",
        ),
        (
            "0 1 2 3\n1 2 3 inf\n",
            TopologyError::NonFiniteAttribute { place: line(2), attribute: 1, given: f64::INFINITY },
            "net.txt, line 2: edge attribute 2 is inf; give finite numbers",
        ),
        (
            "0 1\nsites 4\n",
            TopologyError::MisplacedSites { place: line(2) },
            "net.txt, line 2: `sites` stands after other lines; only the first line can give the number of sites",
        ),
        (
            "sites 4\nsites 4\n",
            TopologyError::MisplacedSites { place: line(2) },
            "net.txt, line 2: `sites` stands after other lines; only the first line can give the number of sites",
        ),
        (
            "sites 0\n",
            TopologyError::InvalidSites { place: line(1), given: "sites 0".to_owned() },
            "net.txt, line 1: `sites 0` gives no number of sites; write `sites N` with a whole number N of at least 1",
        ),
        (
            "sites 4 5\n",
            TopologyError::InvalidSites { place: line(1), given: "sites 4 5".to_owned() },
            "net.txt, line 1: `sites 4 5` gives no number of sites; write `sites N` with a whole number N of at least 1",
        ),
        (
            "# nothing\n",
            TopologyError::NoEdges { text: "net.txt".to_owned() },
            "net.txt holds no edge; give lines `i j`, or a first line `sites N` for sites without edges",
        ),
        (
            "0 18446744073709551615\n",
            TopologyError::TooManySites { sites: u128::from(u64::MAX), most: u32::MAX as usize },
            "18446744073709551615 sites were asked for, at most 4294967295 can be numbered; give a smaller lattice",
        ),
        (
            "0 1\n2 4000000000\n",
            TopologyError::FarSite { place: line(2), site: 4_000_000_000, sites: 4_000_000_001, edges: 2, joined: 4 },
            "net.txt, line 2: site 4000000000 would make 4000000001 sites, of which 2 edge(s) join at most 4; correct the \
             number, or give a first line `sites N` if so many are meant",
        ),
    ];
    for (text, error, message) in cases {
        let given = refused(text);
        assert_eq!(&given, error, "{text:?}");
        assert_eq!(&given.to_string(), message);
    }
}

#[test]
fn refused_lattices_and_graphs() {
    let message = |result: Result<Topology, TopologyError>| result.unwrap_err().to_string();
    for n in [1, 2] {
        let expected = format!(
            "a periodic line of {n} sites would count a neighbour twice; give at least 3 sites, or fixed or free ends"
        );
        assert_eq!(message(Topology::line(n, Periodic)), expected);
    }
    for boundary in [Periodic, Fixed, Free] {
        assert_eq!(message(Topology::line(0, boundary)), "a line of 0 sites holds no field; give at least 1 site");
    }
    assert_eq!(message(Topology::grid([3, 0], [Free, Free])), "a grid of 0 sites holds no field; give at least 1 site");
    assert_eq!(message(Topology::graph(0, &[])), "a graph of 0 sites holds no field; give at least 1 site");
    assert!(message(Topology::grid([2, 5], [Periodic, Free])).starts_with("a periodic column of 2 sites"));
    assert!(message(Topology::grid([5, 2], [Free, Periodic])).starts_with("a periodic row of 2 sites"));
    // Refused before anything is stored.
    let many = 1 << 40;
    assert_eq!(
        Topology::line(many, Free),
        Err(TopologyError::TooManySites { sites: 1 << 40, most: u32::MAX as usize })
    );
    assert_eq!(
        Topology::grid([many, many], [Free, Free]),
        Err(TopologyError::TooManySites { sites: 1 << 80, most: u32::MAX as usize })
    );
    assert!(matches!(Topology::graph(many, &[]), Err(TopologyError::TooManySites { .. })));
    assert_eq!(
        message(Topology::graph(3, &[[0, 1], [1, 1]])),
        "edges[1]: the edge 1 1 joins a site to itself; remove it"
    );
    assert_eq!(
        message(Topology::graph(3, &[[5, 1]])),
        "edges[0]: there is no site 5, the 3 sites are numbered from 0 to 2; correct the edge or give more sites"
    );
    assert_eq!(
        message(Topology::graph_with_attributes(3, &[[0, 1]], 2, &[1.0])),
        "1 edge attributes do not fill 1 edges of 2; give [edges, 2], row by row"
    );
    assert_eq!(
        TopologyError::TooManyEdges { edges: 7, most: 5 }.to_string(),
        "7 edges were given, at most 5 can be numbered; give a smaller graph"
    );
}

/// What every topology must satisfy.
fn check(topology: &Topology) {
    let n = topology.sites();
    let mut ends = 0;
    for site in 0..n {
        let neighbours = topology.neighbours(site);
        assert!(neighbours.windows(2).all(|pair| pair[0] < pair[1]), "neighbours of {site}: {neighbours:?}");
        assert!(!neighbours.contains(&site));
        for (&other, &edge) in neighbours.iter().zip(topology.neighbour_edges(site)) {
            assert!(topology.neighbours(other).contains(&site), "{site} and {other}");
            assert_eq!(topology.edges()[edge as usize], [site.min(other), site.max(other)]);
        }
        assert_eq!(neighbours.len(), topology.neighbour_edges(site).len());
        ends += neighbours.len();
    }
    assert_eq!(ends, 2 * topology.edges().len());
    assert!(topology.edges().windows(2).all(|pair| pair[0] < pair[1]));
    assert!(topology.edges().iter().all(|edge| edge[0] < edge[1] && edge[1] < n));
}

/// The stencil of a site holds the site in its middle, its neighbours, what lies outside, and the site
/// again for each free end; opposite places answer each other.
fn check_stencil(topology: &Topology) {
    let stencil = topology.stencil().unwrap();
    assert_eq!(stencil.indices.len(), topology.sites() * stencil.width);
    for site in 0..topology.sites() {
        let places = stencil.of(site);
        let here = site as u32;
        assert_eq!(places[stencil.centre()], here);
        let mut others: Vec<usize> =
            places.iter().filter(|&&p| p != OUTSIDE && p != here).map(|&p| p as usize).collect();
        others.sort_unstable();
        assert_eq!(others, topology.neighbours(site));
        for (place, &other) in places.iter().enumerate() {
            if other != OUTSIDE && other != here {
                assert_eq!(stencil.of(other as usize)[stencil.width - 1 - place], here);
            }
        }
    }
}

fn boundary() -> impl Strategy<Value = Boundary> {
    prop_oneof![Just(Periodic), Just(Fixed), Just(Free)]
}

proptest! {
    #[test]
    fn lines(n in 1..40_usize, boundary in boundary()) {
        prop_assume!(boundary != Periodic || n >= 3);
        let line = Topology::line(n, boundary).unwrap();
        check(&line);
        check_stencil(&line);
        prop_assert_eq!(line.edges().len(), if boundary == Periodic { n } else { n - 1 });
        let outside: usize = (0..n).map(|site| line.neighbours_outside(site)).sum();
        prop_assert_eq!(outside, if boundary == Fixed { 2 } else { 0 });
    }

    #[test]
    fn grids(rows in 1..9_usize, columns in 1..9_usize, vertical in boundary(), horizontal in boundary()) {
        prop_assume!(vertical != Periodic || rows >= 3);
        prop_assume!(horizontal != Periodic || columns >= 3);
        let grid = Topology::grid([rows, columns], [vertical, horizontal]).unwrap();
        check(&grid);
        check_stencil(&grid);
        let steps = |n: usize, boundary| if boundary == Periodic { n } else { n - 1 };
        prop_assert_eq!(grid.edges().len(), columns * steps(rows, vertical) + rows * steps(columns, horizontal));
        let outside: usize = (0..grid.sites()).map(|site| grid.neighbours_outside(site)).sum();
        let ends = |other, boundary| if boundary == Fixed { 2 * other } else { 0 };
        prop_assert_eq!(outside, ends(columns, vertical) + ends(rows, horizontal));
        // A grid of one free row is a line.
        if rows == 1 && vertical != Periodic {
            let line = Topology::line(columns, horizontal).unwrap();
            prop_assert_eq!(grid.edges(), line.edges());
        }
    }

    #[test]
    fn graphs(n in 1..20_usize, picks in prop::collection::vec(any::<(usize, usize)>(), 0..60)) {
        let mut edges: Vec<[usize; 2]> = Vec::new();
        for (a, b) in picks {
            let [i, j] = [a % n, b % n];
            if i != j && !edges.contains(&[i, j]) && !edges.contains(&[j, i]) {
                edges.push([i, j]);
            }
        }
        let attributes: Vec<f64> = (0..edges.len()).map(|index| index as f64).collect();
        // A text without edges does not say how many attributes they would have.
        let per_edge = usize::from(!edges.is_empty());
        let graph = Topology::graph_with_attributes(n, &edges, per_edge, &attributes).unwrap();
        check(&graph);
        prop_assert_eq!(graph.edges().len(), edges.len());
        for (edge, &index) in graph.edges().iter().zip(graph.edge_attributes()) {
            let [i, j] = edges[index as usize];
            prop_assert_eq!(*edge, [i.min(j), i.max(j)]);
        }
        let text: String = std::iter::once(format!("sites {n}\n"))
            .chain(edges.iter().zip(&attributes).map(|([i, j], value)| format!("{i} {j} {value}\n")))
            .collect();
        prop_assert_eq!(&Topology::parse_edge_list(&text, "generated").unwrap(), &graph);
        // A repeated edge is found wherever it stands.
        if let Some(&[i, j]) = edges.first() {
            edges.push([j, i]);
            let expected = TopologyError::DuplicateEdge {
                place: Place::Edge(edges.len() - 1),
                first: Place::Edge(0),
                edge: [j, i],
            };
            prop_assert_eq!(Topology::graph(n, &edges), Err(expected));
        }
    }
}
