//! A connection on which the other side has few streams open: each may fill a window before anybody reads of it, so
//! how many there are is what bounds the memory. Who opens one too many loses the connection.
//!
//! Streams that this side opens are not counted, and what goes through any of them is for others.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::futures::{AsyncRead, AsyncWrite};

/// Streams from outside that a connection has, whether their protocol is agreed on or not. The muxer's own setting would
/// change to its older version, which adds up what the other side grants without looking.
const STREAMS: usize = 32;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub enum BoundError<E: std::error::Error> {
    #[error("more than {STREAMS} streams were opened")]
    TooMany,
    #[error(transparent)]
    Muxer(E),
}

/// A multiplexed connection with a bound.
pub struct Bounded<M: StreamMuxer> {
    muxer: M,
    /// Has as many copies as there are streams, and one more.
    count: Arc<()>,
    /// Streams that were opened and nobody asked for yet. They are taken at once, since the muxer keeps more of them
    /// than there may be.
    waiting: VecDeque<Counted<M::Substream>>,
    /// Whoever asked when there was none.
    waker: Option<Waker>,
}

/// A stream that counts until it is dropped.
pub struct Counted<S> {
    stream: S,
    _count: Arc<()>,
}

impl<M: StreamMuxer> Bounded<M> {
    pub fn new(muxer: M) -> Self {
        Self { muxer, count: Arc::new(()), waiting: VecDeque::new(), waker: None }
    }
}

impl<M> StreamMuxer for Bounded<M>
where
    M: StreamMuxer + Unpin,
    M::Substream: Unpin,
    M::Error: 'static,
{
    type Substream = Counted<M::Substream>;
    type Error = BoundError<M::Error>;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        match self.waiting.pop_front() {
            Some(stream) => Poll::Ready(Ok(stream)),
            None => {
                self.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let opened = Pin::new(&mut self.muxer).poll_outbound(context);
        opened.map_ok(|stream| Counted { stream, _count: Arc::new(()) }).map_err(BoundError::Muxer)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.muxer).poll_close(context).map_err(BoundError::Muxer)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        // Asking for streams moves the whole connection.
        while let Poll::Ready(opened) = Pin::new(&mut self.muxer).poll_inbound(context) {
            let stream = opened.map_err(BoundError::Muxer)?;
            if Arc::strong_count(&self.count) > STREAMS {
                return Poll::Ready(Err(BoundError::TooMany));
            }
            let counted = Counted { stream, _count: Arc::clone(&self.count) };
            self.waiting.push_back(counted);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}
