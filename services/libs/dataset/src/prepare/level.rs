//! The two kinds of numbers a pixel level comes in.

/// A pixel level between 0 and 255.
pub(crate) trait Level: Copy {
    /// The level as a number.
    fn level(self) -> f32;

    /// The nearest level that can be held.
    fn nearest(level: f32) -> Self;
}

impl Level for u8 {
    fn level(self) -> f32 {
        f32::from(self)
    }

    fn nearest(level: f32) -> Self {
        level.clamp(0.0, 255.0).round() as Self
    }
}

impl Level for f32 {
    fn level(self) -> f32 {
        self
    }

    /// Filters with negative weights overshoot; the levels stay levels.
    fn nearest(level: f32) -> Self {
        level.clamp(0.0, 255.0)
    }
}
