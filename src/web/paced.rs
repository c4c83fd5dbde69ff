//! A connection whose reader may be slow but not asleep. Knows nothing of HTTP.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Ends with an error when nothing can be written for `stall`. Time in which nothing is to be written does not count:
/// streams of events are silent for long.
pub struct Paced<S> {
    stream: S,
    stall: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    pub fn new(stream: S, stall: Duration) -> Self {
        Self { stream, stall, waiting: None }
    }

    fn judge<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.waiting = None;
            return done;
        }
        let stall = self.stall;
        ready!(self.waiting.get_or_insert_with(|| Box::pin(sleep(stall))).as_mut().poll(cx));
        let said = "the other side reads nothing";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, said)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, from);
        self.judge(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, from);
        self.judge(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.judge(cx, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.judge(cx, done)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const STALL: Duration = Duration::from_millis(600);

    #[tokio::test]
    async fn a_reader_that_sleeps_ends_the_connection() {
        let (near, _far) = duplex(1000);
        let failed = Paced::new(near, STALL).write_all(&[0; 5000]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_slow_one_does_not() {
        // Longer in all than a stall; each wait so much shorter that a busy machine does not make one of it.
        let stall = Duration::from_secs(4);
        let (near, mut far) = duplex(1000);
        let reader = tokio::spawn(async move {
            let mut buffer = [0; 500];
            let mut total = 0;
            while let Ok(n @ 1..) = far.read(&mut buffer).await {
                total += n;
                tokio::time::sleep(stall / 20).await;
            }
            total
        });
        let mut paced = Paced::new(near, stall);
        paced.write_all(&[0; 12_000]).await.unwrap();
        drop(paced);
        assert_eq!(reader.await.unwrap(), 12_000);
    }

    #[tokio::test]
    async fn silence_is_no_stall() {
        let (near, _far) = duplex(1000);
        let mut paced = Paced::new(near, STALL);
        paced.write_all(&[0; 100]).await.unwrap();
        tokio::time::sleep(STALL * 2).await;
        // There is room for it, so nothing waits.
        paced.write_all(&[0; 100]).await.unwrap();
    }
}
