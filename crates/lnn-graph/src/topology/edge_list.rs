//! Graphs from text, one edge a line.

use super::Topology;
use super::error::{Place, TopologyError};

impl Topology {
    /// The undirected graph that `text` lists; `source_name` names the text in errors.
    ///
    /// A line is `i j`: two sites, whole numbers from 0, separated by spaces; further columns are
    /// attributes of the edge, the same number on every line. `#` starts a comment, blank lines are
    /// skipped. The first line may be `sites N`; without it there are as many sites as the largest
    /// number says.
    ///
    /// # Errors
    /// [`TopologyError`], naming the line: what cannot be read, and all that
    /// [`graph`](Self::graph) refuses.
    ///
    /// ```
    /// use lnn_graph::topology::Topology;
    /// let triangle = Topology::parse_edge_list("sites 4 # one of them alone\n0 1 2.5\n2 1 0.5\n0 2 1\n", "net.txt")?;
    /// assert_eq!(triangle.edges(), [[0, 1], [0, 2], [1, 2]]);
    /// assert_eq!(triangle.edge_attributes(), [2.5, 1.0, 0.5]);
    /// assert_eq!(triangle.isolated().collect::<Vec<_>>(), [3]);
    /// let error = Topology::parse_edge_list("0 1\n2 2\n", "net.txt").unwrap_err();
    /// assert_eq!(error.to_string(), "net.txt, line 2: the edge 2 2 joins a site to itself; remove it");
    /// # Ok::<(), lnn_graph::topology::TopologyError>(())
    /// ```
    pub fn parse_edge_list(text: &str, source_name: &str) -> Result<Self, TopologyError> {
        let mut list =
            EdgeList { text: source_name, sites: None, edges: Vec::new(), lines: Vec::new(), attributes: Vec::new() };
        for (index, line) in text.lines().enumerate() {
            let content = line.split('#').next().unwrap_or_default().trim();
            if !content.is_empty() {
                list.read(content, index + 1)?;
            }
        }
        let last_of = |edge: &[usize; 2]| edge[0].max(edge[1]);
        let farthest = (0..list.edges.len()).max_by_key(|&index| last_of(&list.edges[index]));
        let named = farthest.map(|index| last_of(&list.edges[index]).saturating_add(1));
        if let (None, Some(index), Some(sites)) = (list.sites, farthest, named) {
            let (edges, joined) = (list.edges.len(), 2 * list.edges.len());
            if sites > joined.saturating_add(UNNAMED) && sites <= u32::MAX as usize {
                return Err(TopologyError::FarSite {
                    place: list.place(list.lines[index]),
                    site: sites - 1,
                    sites,
                    edges,
                    joined,
                });
            }
        }
        let sites = list.sites.or(named).ok_or_else(|| TopologyError::NoEdges { text: source_name.to_owned() })?;
        let per_edge = list.attributes.len().checked_div(list.edges.len()).unwrap_or(0);
        let place = |index: usize| list.place(list.lines[index]);
        Self::from_edges(sites, &list.edges, per_edge, &list.attributes, place)
    }
}

/// Most sites without an edge that a text may imply without naming their number.
const UNNAMED: usize = 1_000_000;

/// What has been read so far.
struct EdgeList<'a> {
    /// Name of the text.
    text: &'a str,
    sites: Option<usize>,
    edges: Vec<[usize; 2]>,
    /// Line of each edge, from 1.
    lines: Vec<usize>,
    /// `[edges, attributes]`.
    attributes: Vec<f64>,
}

impl EdgeList<'_> {
    fn place(&self, line: usize) -> Place {
        Place::Line { text: self.text.to_owned(), line }
    }

    fn read(&mut self, content: &str, line: usize) -> Result<(), TopologyError> {
        let mut columns = content.split_whitespace();
        let (first, second) = (columns.next(), columns.next());
        if first == Some("sites") {
            let number = second.filter(|_| columns.next().is_none());
            return self.read_sites(content, number, line);
        }
        let (Some(i), Some(j)) = (first, second) else {
            return Err(TopologyError::TooFewColumns { place: self.place(line), given: content.to_owned() });
        };
        let edge = [self.read_site(i, line)?, self.read_site(j, line)?];
        let expected = self.attributes.len().checked_div(self.edges.len());
        let from = self.attributes.len();
        for column in columns {
            let value = column
                .parse()
                .map_err(|_| TopologyError::NotANumber { place: self.place(line), given: column.to_owned() })?;
            self.attributes.push(value);
        }
        let given = self.attributes.len() - from;
        if let Some(expected) = expected.filter(|&expected| expected != given) {
            let (place, first) = (self.place(line), self.place(self.lines[0]));
            return Err(TopologyError::UnequalAttributes { place, first, given, expected });
        }
        self.edges.push(edge);
        self.lines.push(line);
        Ok(())
    }

    fn read_sites(&mut self, content: &str, number: Option<&str>, line: usize) -> Result<(), TopologyError> {
        let place = self.place(line);
        if self.sites.is_some() || !self.edges.is_empty() {
            return Err(TopologyError::MisplacedSites { place });
        }
        self.sites = number.and_then(|n| n.parse().ok()).filter(|&n| n > 0);
        if self.sites.is_none() {
            return Err(TopologyError::InvalidSites { place, given: content.to_owned() });
        }
        Ok(())
    }

    fn read_site(&self, column: &str, line: usize) -> Result<usize, TopologyError> {
        column.parse().map_err(|_| TopologyError::NotASite { place: self.place(line), given: column.to_owned() })
    }
}
