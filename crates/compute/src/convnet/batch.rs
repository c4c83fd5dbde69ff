//! Several photos: each is computed by one thread, so that no step waits for another thread. When half of the threads have no
//! photo left, those under way are finished by all threads together: whoever was held up holds nobody else up for long.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::*};

use super::net::{Net, Workspace};
use super::numbers::{By, MapNumber};
use crate::{Isa, Pool};

/// A photo under way.
struct Begun<N: MapNumber> {
    photo: usize,
    space: Workspace<N>,
    /// Steps that are done.
    steps: usize,
}

impl<N: MapNumber> Net<N> {
    /// One vector per photo, not normalised. Numbers depend neither on the threads nor on the photos beside one.
    ///
    /// # Panics
    /// If a photo has another size.
    pub fn run(&self, isa: Isa, pool: &Pool, photos: &[&[u8]]) -> Vec<Vec<f32>> {
        assert!(photos.iter().all(|p| p.len() == self.pixels()), "photos of the network's size");
        let begun = match photos.len() {
            1 => vec![Begun { photo: 0, space: self.workspace(), steps: 0 }],
            _ => Vec::new(),
        };
        let (next, idle, begun) = (AtomicUsize::new(begun.len()), AtomicUsize::new(0), Mutex::new(begun));
        let out: Vec<_> = photos.iter().map(|_| Mutex::new(Vec::new())).collect();
        let end = |photo: usize, space: Workspace<N>| {
            *out[photo].lock().expect("a photo ends once") = space.mean.clone();
            self.spare.lock().expect("nothing panics here").push(space);
        };
        let threads = pool.threads();
        pool.run(if photos.len() > 1 { threads } else { 0 }, |_| {
            let by = By { isa, pool: &self.alone };
            let mut more = |_: usize, _: &[N::Input]| 2 * idle.load(Relaxed) < threads;
            loop {
                let photo = next.fetch_add(1, Relaxed);
                let Some(bytes) = photos.get(photo) else { break };
                let mut space = self.workspace();
                let steps = N::run_from(self, by, &mut space, bytes, 0, &mut more);
                if steps == self.steps.len() {
                    end(photo, space);
                } else {
                    begun.lock().expect("nothing panics here").push(Begun { photo, space, steps });
                }
            }
            idle.fetch_add(1, Relaxed);
        });
        for Begun { photo, mut space, steps } in begun.into_inner().expect("nothing panics here") {
            N::run_from(self, By { isa, pool }, &mut space, photos[photo], steps, &mut |_, _| true);
            end(photo, space);
        }
        out.into_iter().map(|row| row.into_inner().expect("a photo ends once")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{build, networks, photo};
    use super::*;
    use crate::number::F32;

    #[test]
    fn a_photo_goes_on_from_any_step_in_any_number_of_threads() {
        let (pool, isa) = (Pool::new(3), Isa::best());
        for (h, w, told) in networks() {
            let (net, photo) = (build::<F32>(h, w, &told), photo(h, w, 5));
            let want = net.run(isa, &pool, &[&photo]).remove(0);
            let (mut space, mut done) = (net.workspace(), 0);
            let mut goes = 0;
            while done < net.steps.len() {
                let by = By { isa, pool: if goes % 2 == 0 { &net.alone } else { &pool } };
                // After the photo, and then after every step.
                let mut more = |map: usize, _: &[f32]| map == 0 && goes > 0;
                done = net.run_from(by, &mut space, &photo, done, &mut more);
                goes += 1;
            }
            assert_eq!((space.mean, goes), (want, net.steps.len() + 1), "{h} x {w}");
        }
    }
}
