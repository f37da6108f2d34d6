//! A connection that ends when its client reads too slowly, so that nobody holds an answer for ever.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Time that a client may keep the server waiting: it is used up by waiting, and earned back by reading.
pub struct Paced<S> {
    stream: S,
    most: Duration,
    /// Bytes each second that earn as much time as they take.
    slowest: u32,
    left: Duration,
    /// Since when a write waits, and its end.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Paced<S> {
    pub fn new(stream: S, most: Duration, slowest: u32) -> Self {
        Self { stream, most, slowest, left: most, waiting: None }
    }

    /// Counts what a write came to.
    fn pace(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(result) = written else {
            let left = self.left;
            let (_, end) = self.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(left))));
            ready!(end.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        };
        if let Some((since, _)) = self.waiting.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        if let Ok(bytes) = &result {
            let earned = Duration::from_secs_f64(*bytes as f64 / f64::from(self.slowest));
            self.left = (self.left + earned).min(self.most);
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.pace(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.pace(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const STALL: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_is_cut_off() {
        let (server, _client) = duplex(100);
        let begin = Instant::now();
        let mut paced = Paced::new(server, STALL, 1000);
        assert_eq!(paced.write_all(&[0; 1000]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!((STALL..STALL + Duration::from_secs(1)).contains(&begin.elapsed()));
    }

    /// How many of 100,000 bytes come through when a hundred are read at a time.
    async fn read_every(pause: Duration) -> Result<(), io::ErrorKind> {
        let (server, mut client) = duplex(100);
        tokio::spawn(async move {
            let mut bytes = [0; 100];
            while client.read(&mut bytes).await.is_ok_and(|count| count > 0) {
                sleep(pause).await;
            }
        });
        let mut paced = Paced::new(server, STALL, 1000);
        paced.write_all(&[0; 100_000]).await.map_err(|error| error.kind())
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slower_than_the_slowest_is_cut_off() {
        assert_eq!(read_every(Duration::from_millis(90)).await, Ok(()));
        assert_eq!(read_every(Duration::from_millis(200)).await, Err(io::ErrorKind::TimedOut));
    }
}
