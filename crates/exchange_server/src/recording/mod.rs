//! A recording as the market of the served exchange, members' orders inside it.

mod files;
mod levels;
mod player;
mod stage;

pub use files::Recording;
pub use levels::Levels;
pub use player::{HouseRecording, Pace, Progress};
pub use stage::{Floor, House};
