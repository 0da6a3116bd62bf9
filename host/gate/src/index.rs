//! Open routes, found by origin, method and path, so that a decision costs the same however many there are elsewhere.
//!
//! For each origin and method there is a tree of path segments. A path is walked down it once: at each node the literal of
//! that name, if there is one, and each parameter whose shape fits. So a thousand routes to other paths cost nothing.

use std::collections::{BTreeMap, HashMap};

use crate::{
    method::Method,
    scheme::PATH_PLACEHOLDER,
    shape::Shape,
    template::{Segment, Tail, Template, is_plain_part},
    work::{Spent, Work},
};

/// The routes of one operation, by where they lead.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    origins: HashMap<String, [Option<Box<Node>>; Method::COUNT]>,
}

/// A place in the tree: what can follow the segments that led here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    literals: BTreeMap<String, Node>,
    parameters: BTreeMap<Shape, Node>,
    /// Routes whose template ends here.
    ends: Vec<usize>,
    /// Routes whose template goes on with one or more segments, none of them empty.
    rests: Vec<usize>,
    /// Routes whose template goes on with whatever follows.
    anys: Vec<usize>,
}

impl Index {
    /// Puts a route in.
    pub(crate) fn insert(&mut self, method: Method, template: &Template, route: usize) {
        let methods = self.origins.entry(template.origin().to_owned()).or_default();
        let Some(root) = methods.get_mut(method.index()) else { return };
        let mut node: &mut Node = root.get_or_insert_default();
        let (segments, tail) = template.segments();
        for segment in segments {
            node = match segment {
                Segment::Literal(literal) => node.literals.entry(literal.clone()).or_default(),
                Segment::Parameter(shape) => node.parameters.entry(*shape).or_default(),
            };
        }
        match tail {
            Tail::None => node.ends.push(route),
            Tail::Rest => node.rests.push(route),
            Tail::Any => node.anys.push(route),
        }
    }

    /// Shows `found` each route of this method whose template may cover this one, and some others: those that do not are for the
    /// caller to leave out. Where a secret goes into a path, a declared template has a word in place of its parameter, and
    /// covers a granted one that still has the parameter there.
    pub(crate) fn may_cover(
        &self,
        method: Method,
        template: &Template,
        work: &Work,
        found: &mut impl FnMut(usize),
    ) -> Result<(), Spent> {
        work.charge(1)?;
        let methods = self.origins.get(template.origin());
        let Some(Some(root)) = methods.and_then(|methods| methods.get(method.index())) else { return Ok(()) };
        let (segments, tail) = template.segments();
        root.may_cover(segments, tail, work, found)
    }

    /// The trees of this origin, one for each method that has a route; none if no route leads there.
    pub(crate) fn origin(&self, origin: &str) -> Option<&[Option<Box<Node>>; Method::COUNT]> {
        self.origins.get(origin)
    }
}

impl Node {
    fn may_cover(
        &self,
        segments: &[Segment],
        tail: Tail,
        work: &Work,
        found: &mut impl FnMut(usize),
    ) -> Result<(), Spent> {
        self.anys.iter().for_each(|route| found(*route));
        if tail != Tail::Any {
            self.rests.iter().for_each(|route| found(*route));
        }
        let Some((segment, rest)) = segments.split_first() else {
            if tail == Tail::None {
                self.ends.iter().for_each(|route| found(*route));
            }
            return Ok(());
        };
        // Each shape is held against the whole of a literal.
        let bytes = if let Segment::Literal(literal) = segment { literal.len() } else { 0 };
        work.charge(4 + bytes as u64 / 8 + self.parameters.len() as u64 * (1 + bytes as u64 / 8))?;
        let literal = match segment {
            Segment::Literal(literal) => Some(literal.as_str()),
            Segment::Parameter(Shape::TEXT) => Some(PATH_PLACEHOLDER),
            Segment::Parameter(_) => None,
        };
        if let Some(node) = literal.and_then(|literal| self.literals.get(literal)) {
            node.may_cover(rest, tail, work, found)?;
        }
        for (shape, node) in &self.parameters {
            if Segment::Parameter(*shape).covers(segment) {
                node.may_cover(rest, tail, work, found)?;
            }
        }
        Ok(())
    }

    /// Shows `found` each route whose template stands for this path. Allocates nothing; goes as deep as the deepest
    /// template, and to each node at most once.
    pub(crate) fn find(&self, path: &str, found: &mut impl FnMut(usize)) {
        self.walk(Some(path.strip_prefix('/').unwrap_or(path)), found);
    }

    /// `remaining` is what follows the slash after the segments that led here; none after the last of them.
    fn walk(&self, remaining: Option<&str>, found: &mut impl FnMut(usize)) {
        self.anys.iter().for_each(|route| found(*route));
        let Some(remaining) = remaining else {
            self.ends.iter().for_each(|route| found(*route));
            return;
        };
        let (segment, next) = match remaining.split_once('/') {
            Some((segment, next)) => (segment, Some(next)),
            None => (remaining, None),
        };
        if let Some(node) = self.literals.get(segment) {
            node.walk(next, found);
        }
        for (shape, node) in &self.parameters {
            if shape.fits_segment(segment) {
                node.walk(next, found);
            }
        }
        if !self.rests.is_empty() && remaining.split('/').all(is_plain_part) {
            self.rests.iter().for_each(|route| found(*route));
        }
    }
}
