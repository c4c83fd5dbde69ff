//! Blocking work away from the server's own threads: a few at once, a short line behind them, then "try again".

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::problem::Problem;

/// A bounded door to blocking work.
#[derive(Clone)]
pub struct Gate {
    /// Those inside and those in line.
    places: Arc<Semaphore>,
    inside: Arc<Semaphore>,
    size: (usize, usize),
}

impl Gate {
    pub fn new(inside: usize, line: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(inside + line)),
            inside: Arc::new(Semaphore::new(inside)),
            size: (inside + line, inside),
        }
    }

    /// How many are in line, and how many are inside.
    pub fn depth(&self) -> (usize, usize) {
        let inside = self.size.1.saturating_sub(self.inside.available_permits());
        let all = self.size.0.saturating_sub(self.places.available_permits());
        (all.saturating_sub(inside), inside)
    }

    /// Runs blocking work when its turn comes.
    ///
    /// # Errors
    /// 429 when the line is full; 500 when the work panicked; else what the work itself says.
    pub async fn run<T, E>(&self, work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Problem::busy())?;
        let turn = self.inside.clone().acquire_owned().await.map_err(|_| Problem::busy())?;
        let request = tracing::Span::current();
        let done = tokio::task::spawn_blocking(move || {
            let _told = request.entered();
            // Both go with the work, also when the asker has left: what runs, counts.
            let _held = (place, turn);
            work()
        });
        match done.await {
            Ok(result) => result.map_err(Into::into),
            Err(e) => {
                tracing::error!("a request's work stopped: {e}");
                Err(Problem::internal())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_full_line_is_told_to_come_back() {
        let gate = Gate::new(1, 1);
        let (release, held) = mpsc::channel::<()>();
        let inside = gate.run(move || held.recv().map_err(|_| Problem::internal()));
        let waiting = gate.run(|| Ok::<_, Problem>(2));
        let (inside, waiting, refused) = tokio::join!(inside, waiting, async {
            tokio::task::yield_now().await;
            assert_eq!(gate.depth(), (1, 1));
            let refused = gate.run(|| Ok::<_, Problem>(3)).await;
            release.send(()).unwrap();
            refused
        });
        assert!(inside.is_ok());
        assert_eq!(waiting, Ok(2));
        assert_eq!(gate.depth(), (0, 0));
        assert_eq!(refused.unwrap_err().status.as_u16(), 429);
    }

    #[tokio::test]
    async fn a_panic_costs_one_request() {
        let gate = Gate::new(1, 0);
        let broken = gate.run(|| -> Result<(), Problem> { panic!("a bug") }).await;
        assert_eq!(broken.unwrap_err().status.as_u16(), 500);
        assert_eq!(gate.run(|| Ok::<_, Problem>(1)).await, Ok(1));
    }
}
