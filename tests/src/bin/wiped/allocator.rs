//! An allocator that looks into each block before it is given back: a secret in it was not wiped, and the stack tells who left
//! it there.
//!
//! The one file of the tests with `unsafe`: allocators are, and this one reads what others own. It hands every request to the
//! system's allocator as it is, reads a block only between being told that its owner is done with it and giving it back, and
//! reads byte by byte, volatile, because parts of a block may never have been written.

#![allow(unsafe_code)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    backtrace::Backtrace,
    cell::Cell,
    ptr,
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crate::needle::Needle;

/// Most blocks that are told.
const MOST: usize = 4_000;

/// The system's allocator, watched.
pub(crate) struct Watched;

static ARMED: AtomicBool = AtomicBool::new(false);
static LOOKED: AtomicUsize = AtomicUsize::new(0);
static NEEDLES: RwLock<Vec<Needle>> = RwLock::new(Vec::new());
static FOUND: Mutex<Vec<Left>> = Mutex::new(Vec::new());

thread_local! {
    /// Whether this thread is looking: what it frees meanwhile is its own.
    static LOOKING: Cell<bool> = const { Cell::new(false) };
}

/// A secret that was left in a block.
pub(crate) struct Left {
    pub(crate) needle: String,
    pub(crate) bytes: usize,
    pub(crate) stack: Backtrace,
}

/// From now on, looks for this, too.
pub(crate) fn look_for(needle: Needle) {
    unwatched(|| NEEDLES.write().unwrap_or_else(PoisonError::into_inner).push(needle));
}

/// Begins to look.
pub(crate) fn arm() {
    ARMED.store(true, Ordering::SeqCst);
}

/// Ends looking. How many blocks were looked into, and what was found.
pub(crate) fn disarm() -> (usize, Vec<Left>) {
    ARMED.store(false, Ordering::SeqCst);
    let found = std::mem::take(&mut *FOUND.lock().unwrap_or_else(PoisonError::into_inner));
    (LOOKED.load(Ordering::SeqCst), found)
}

fn unwatched<T>(work: impl FnOnce() -> T) -> T {
    let before = LOOKING.with(|looking| looking.replace(true));
    let done = work();
    LOOKING.with(|looking| looking.set(before));
    done
}

/// Looks into a block that is about to be given back, and wipes what it finds, so that each place is told once and a look at all
/// of memory later shows only what was never given back.
///
/// # Safety
///
/// `block` has `bytes` bytes and belongs to the caller.
unsafe fn look(block: *mut u8, bytes: usize) {
    // A thread that ends has no such variable any more, and nothing to hide.
    if !ARMED.load(Ordering::Relaxed) || LOOKING.try_with(|looking| looking.replace(true)).unwrap_or(true) {
        return;
    }
    LOOKED.fetch_add(1, Ordering::Relaxed);
    let needles = NEEDLES.read().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: within the block, which nobody else uses any more.
    let byte = |at: usize| unsafe { ptr::read_volatile(block.add(at)) };
    let shortest = needles.iter().map(Needle::len).min().unwrap_or(usize::MAX);
    let found = (0..bytes.saturating_sub(shortest.saturating_sub(1))).find_map(|at| {
        let first = byte(at);
        needles.iter().find(|needle| {
            needle.begins_with(first) && at + needle.len() <= bytes && needle.is(|index| byte(at + index))
        })
    });
    if let Some(needle) = found {
        let mut all = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST {
            all.push(Left { needle: needle.name.clone(), bytes, stack: Backtrace::force_capture() });
        }
        for at in 0..bytes {
            // SAFETY: within the block, which nobody else uses any more.
            unsafe { ptr::write_volatile(block.add(at), 0) };
        }
    }
    drop(needles);
    let _ = LOOKING.try_with(|looking| looking.set(false));
}

// SAFETY: every request is the system allocator's, unchanged; but for `realloc`, which always moves, as its contract allows.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives the block back, which has the layout's size.
        unsafe {
            look(block, layout.size());
            System.dealloc(block, layout);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !ARMED.load(Ordering::Relaxed) {
            // SAFETY: the caller's promise is the one that is asked for.
            return unsafe { System.realloc(block, layout, size) };
        }
        // SAFETY: the size is not zero and fits, as the caller promises; the blocks do not overlap, and both are large enough
        // for what is copied. The old one is given back once.
        unsafe {
            let moved = System.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                look(block, layout.size());
                System.dealloc(block, layout);
            }
            moved
        }
    }
}
