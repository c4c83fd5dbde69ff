//! A batch of photos.

use std::sync::Mutex;

use super::net::{Net, Workspace};
use super::numbers::{By, MapNumber};
use crate::{Isa, Pool};

impl<N: MapNumber> Net<N> {
    /// One vector per photo, not normalised. Numbers depend neither on the threads nor on the photos beside one.
    ///
    /// # Panics
    /// If a photo has another size.
    pub fn run(&self, isa: Isa, pool: &Pool, photos: &[&[u8]]) -> Vec<Vec<f32>> {
        assert!(photos.iter().all(|p| p.len() == self.pixels()), "photos of the network's size");
        let out: Vec<_> = photos.iter().map(|_| Mutex::new(Vec::new())).collect();
        let end = |photo: usize, space: Workspace<N>| {
            *out[photo].lock().unwrap_or_else(|e| e.into_inner()) = space.mean.clone();
            self.spare.lock().unwrap_or_else(|e| e.into_inner()).push(space);
        };
        let begin = |photo: usize, more: &dyn Fn() -> bool| {
            let (mut space, by) = (self.workspace(), By { isa, pool: &self.alone });
            let steps = N::run_from(self, by, &mut space, photos[photo], 0, &mut |_, _| more());
            if steps < self.steps.len() {
                return Some((space, steps));
            }
            end(photo, space);
            None
        };
        let go_on = |photo: usize, (mut space, steps): (Workspace<N>, usize)| {
            N::run_from(self, By { isa, pool }, &mut space, photos[photo], steps, &mut |_, _| true);
            end(photo, space);
        };
        match photos.len() {
            1 => go_on(0, (self.workspace(), 0)),
            count => pool.each(count, begin, go_on),
        }
        out.into_iter().map(|row| row.into_inner().unwrap_or_else(|e| e.into_inner())).collect()
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
