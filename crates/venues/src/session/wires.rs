//! The connections of a session.

use mainspring_core::TimeNs;

use super::input::SocketId;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Market data, by index of the address.
    Market(usize),
    /// User events.
    User,
    /// Orders, and user events where the venue has both on one.
    Trade,
    /// Orders that wait for their trigger, where the venue tells of them apart. What trades does without
    /// it: lists say the same, later.
    Armed,
}

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) role: Role,
    pub(super) socket: SocketId,
    pub(super) open: bool,
    /// Logged in and subscribed, as far as its role wants that.
    pub(super) ready: bool,
    pub(super) opened_ns: TimeNs,
    pub(super) heard_ns: TimeNs,
    pub(super) pinged_ns: TimeNs,
    /// The count of its last frame, where the venue counts them.
    pub(super) counted: Option<i64>,
    /// It is to take the place of another one of its role.
    pub(super) successor: bool,
}

/// The connections, few of them.
#[derive(Debug, Default)]
pub(super) struct Wires {
    last: u32,
    list: Vec<Wire>,
}

impl Wires {
    /// A new one, not open yet.
    pub(super) fn add(&mut self, role: Role, successor: bool, now_ns: TimeNs) -> SocketId {
        self.last += 1;
        let socket = SocketId(self.last);
        self.list.push(Wire {
            role,
            socket,
            open: false,
            ready: false,
            opened_ns: now_ns,
            heard_ns: now_ns,
            pinged_ns: 0,
            counted: None,
            successor,
        });
        socket
    }

    pub(super) fn get(&mut self, socket: SocketId) -> Option<&mut Wire> {
        self.list.iter_mut().find(|wire| wire.socket == socket)
    }

    pub(super) fn remove(&mut self, socket: SocketId) -> Option<Wire> {
        let at = self.list.iter().position(|wire| wire.socket == socket)?;
        Some(self.list.swap_remove(at))
    }

    /// The one in use for a role.
    pub(super) fn of(&self, role: Role) -> Option<&Wire> {
        self.list.iter().find(|wire| wire.role == role && !wire.successor)
    }

    /// The one that is to take its place.
    pub(super) fn successor_of(&self, role: Role) -> Option<&Wire> {
        self.list.iter().find(|wire| wire.role == role && wire.successor)
    }

    /// The connection that a role can be served by now.
    pub(super) fn ready(&self, role: Role) -> Option<SocketId> {
        self.of(role).filter(|wire| wire.open && wire.ready).map(|wire| wire.socket)
    }

    /// A successor takes the place of the one before it, which is given back to be closed.
    pub(super) fn promote(&mut self, socket: SocketId) -> Option<Wire> {
        let role = self.get(socket).filter(|wire| wire.successor)?.role;
        let old = self.of(role).map(|wire| wire.socket);
        let old = old.and_then(|old| self.remove(old));
        if let Some(wire) = self.get(socket) {
            wire.successor = false;
        }
        old
    }

    pub(super) fn all(&self) -> &[Wire] {
        &self.list
    }

    pub(super) fn all_mut(&mut self) -> &mut [Wire] {
        &mut self.list
    }
}
