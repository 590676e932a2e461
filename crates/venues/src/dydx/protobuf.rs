//! The few wire forms of protocol buffers that a transaction needs. Fields of the default value are
//! left out, as proto3 has it: signatures cover the bytes.

/// Appends a number of variable length.
pub fn push_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// A message that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(pub Vec<u8>);

impl Message {
    /// A field of variable length.
    #[must_use]
    pub fn varint(mut self, field: u32, value: u64) -> Self {
        if value != 0 {
            push_varint(&mut self.0, u64::from(field) << 3);
            push_varint(&mut self.0, value);
        }
        self
    }

    /// A field of four bytes.
    #[must_use]
    pub fn fixed32(mut self, field: u32, value: u32) -> Self {
        if value != 0 {
            push_varint(&mut self.0, u64::from(field) << 3 | 5);
            self.0.extend(value.to_le_bytes());
        }
        self
    }

    /// A field of bytes, text or an inner message; left out when empty.
    #[must_use]
    pub fn bytes(self, field: u32, value: &[u8]) -> Self {
        if value.is_empty() {
            return self;
        }
        self.message(field, value)
    }

    /// An inner message, also when it is empty.
    #[must_use]
    pub fn message(mut self, field: u32, value: &[u8]) -> Self {
        push_varint(&mut self.0, u64::from(field) << 3 | 2);
        push_varint(&mut self.0, value.len() as u64);
        self.0.extend(value);
        self
    }

    /// A message wrapped with the name of its type.
    #[must_use]
    pub fn any(type_url: &str, value: &Self) -> Self {
        Self::default().bytes(1, type_url.as_bytes()).bytes(2, &value.0)
    }
}
