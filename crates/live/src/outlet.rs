//! The journal on disk as the place that a session writes to.

use mainspring_core::{Result, TimeNs};
use mainspring_journal::live::Writer;
use mainspring_kernel::session::Outlet;

/// A session's records go to the disk.
pub struct DiskOutlet(pub Writer);

impl Outlet for DiskOutlet {
    #[inline]
    fn append(&mut self, kind: u16, time_ns: TimeNs, cause: u64, payload: &[&[u8]]) -> Result<u64> {
        self.0.append(kind, time_ns, cause, payload)
    }

    #[inline]
    fn next_sequence(&self) -> u64 {
        self.0.next_sequence()
    }

    #[inline]
    fn commit(&mut self) -> Result<()> {
        self.0.commit()
    }

    fn end(self: Box<Self>) -> Result<()> {
        self.0.close()
    }
}
