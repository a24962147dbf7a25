//! Bodies and connections that last: passed on as they come, and closed when their session ends.

mod bodies;
mod events;
mod websockets;
mod websockets_over_http2;
