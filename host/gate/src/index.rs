//! Open routes, found by origin, method and path, so that a decision costs the same however many there are elsewhere.
//!
//! For each origin and method there is a tree of path segments. A path is walked down it once: at each node the literal of
//! that name, if there is one, and each parameter whose shape fits. So a thousand routes to other paths cost nothing.

use std::collections::HashMap;

use crate::{
    method::Method,
    shape::Shape,
    template::{Segment, Tail, Template, is_plain_part},
};

/// The routes of one operation, by where they lead.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    origins: HashMap<String, [Option<Box<Node>>; Method::COUNT]>,
}

/// A place in the tree: what can follow the segments that led here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// Sorted by literal.
    literals: Vec<(String, Node)>,
    parameters: Vec<(Shape, Node)>,
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
                Segment::Literal(literal) => {
                    let at = node.literals.binary_search_by(|(known, _)| known.as_str().cmp(literal));
                    let at = at.unwrap_or_else(|at| {
                        node.literals.insert(at, (literal.clone(), Node::default()));
                        at
                    });
                    match node.literals.get_mut(at) {
                        Some((_, next)) => next,
                        None => return,
                    }
                }
                Segment::Parameter(shape) => {
                    let at = node.parameters.iter().position(|(known, _)| known == shape).unwrap_or_else(|| {
                        node.parameters.push((*shape, Node::default()));
                        node.parameters.len() - 1
                    });
                    match node.parameters.get_mut(at) {
                        Some((_, next)) => next,
                        None => return,
                    }
                }
            };
        }
        match tail {
            Tail::None => node.ends.push(route),
            Tail::Rest => node.rests.push(route),
            Tail::Any => node.anys.push(route),
        }
    }

    /// The trees of this origin, one for each method that has a route; none if no route leads there.
    pub(crate) fn origin(&self, origin: &str) -> Option<&[Option<Box<Node>>; Method::COUNT]> {
        self.origins.get(origin)
    }
}

impl Node {
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
        if let Ok(at) = self.literals.binary_search_by(|(literal, _)| literal.as_str().cmp(segment))
            && let Some((_, node)) = self.literals.get(at)
        {
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
