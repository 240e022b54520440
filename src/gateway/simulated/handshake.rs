//! The beginning of a connection: hello, acknowledgement, client id.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::calendar::to_new_york;

use super::fault_book::Struck;
use super::fault_kind::FaultKind;
use super::frame::{acknowledgement, error_frame, read_hello, read_request};
use super::messages::{StartApi, request_kind};
use super::server::{MIN_SERVER_VERSION, Shared};

/// How long a client may take for each step of its beginning.
const STEP: Duration = Duration::from_secs(30);

/// What a gateway that is too old announces.
const OLD_VERSION: i32 = 212;

/// A client id that is held; dropped, it is free.
#[derive(Debug)]
pub(super) struct ClientId {
    id: i32,
    shared: Arc<Shared>,
}

impl Drop for ClientId {
    fn drop(&mut self) {
        self.shared.clients.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Goes through the handshake; none where the connection is to be closed.
pub(super) async fn shake_hands(
    stream: &mut TcpStream,
    shared: &Arc<Shared>,
    struck: &Struck,
) -> io::Result<Option<ClientId>> {
    let (low, high) = timeout(STEP, read_hello(stream)).await??;
    let version = if struck.has(FaultKind::RejectVersion) { OLD_VERSION } else { shared.server_version.min(high) };
    if version < low.max(MIN_SERVER_VERSION) && version != OLD_VERSION {
        return Ok(None);
    }
    let connection_time = to_new_york(shared.now()).format("%Y%m%d %H:%M:%S US/Eastern").to_string();
    // One write: a client may take what its first read gives for the whole of it.
    stream.write_all(&acknowledgement(version, &connection_time)).await?;
    stream.flush().await?;
    if struck.has(FaultKind::CloseAfterHello) {
        return Ok(None);
    }
    let request = timeout(STEP, read_request(stream)).await??;
    if request.kind != request_kind::START_API {
        return Ok(None);
    }
    let id = StartApi::decode(request.payload).map_err(io::Error::other)?.client_id.unwrap_or_default();
    let free = shared.clients.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    let held = free.then(|| ClientId { id, shared: Arc::clone(shared) });
    if held.is_none() || struck.has(FaultKind::ClientIdInUse) {
        let text = "Unable to connect as the client id is already in use. Retry with a unique client id.";
        stream.write_all(&error_frame(-1, 326, text, shared.now().timestamp_millis())).await?;
        stream.flush().await?;
        return Ok(None);
    }
    if struck.has(FaultKind::Disclaimer) {
        let text = "Paper trading disclaimer must first be accepted for API connection.";
        stream.write_all(&error_frame(-1, 10141, text, shared.now().timestamp_millis())).await?;
        stream.flush().await?;
        let mut ignored = [0; 1_024];
        while stream.read(&mut ignored).await? > 0 {}
        return Ok(None);
    }
    Ok(held)
}
