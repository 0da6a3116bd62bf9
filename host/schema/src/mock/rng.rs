//! A small seeded generator (splitmix64, Steele, Lea and Flood 2014). Not for secrets.
//!
//! Every property and item draws from a generator of its own, named after it: adding a property to a schema does not
//! change what the others get, and the order of a map does not matter.

#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The generator for `name` below this one. Does not advance this one.
    pub(crate) fn child(&self, name: &str) -> Self {
        // FNV-1a over the name, started from this state.
        let hash = name.bytes().fold(self.0 ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut child = Self(hash);
        Self(child.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if `end` is 0. The bias of the remainder does not matter here.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        self.next().checked_rem(end).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let index = self.below(list.len());
        list.get(index)
    }

    /// The list, started at a random place and wrapped round.
    pub(crate) fn rotated<'a, T>(&mut self, list: &'a [T]) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let start = self.below(list.len());
        list.iter().cycle().skip(start).take(list.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut rng = Rng::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| rng.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn siblings_draw_independently_and_an_empty_list_picks_nothing() {
        let rng = Rng::new(1);
        assert_ne!(rng.child("a").next(), rng.child("b").next());
        assert_eq!(Rng::new(1).pick::<u8>(&[]), None);
    }
}
