//! A shift and a rotation.

/// How a part lies relative to the reference: what the reference has at x, the picture has at turn(x − c) + c + shift, with c the
/// centre of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RigidTransform {
    /// To the right and down, in pixels of the picture.
    pub shift: [f64; 2],
    /// The tangent of half the angle, clockwise as seen on screen. Cosine and sine are quotients of it, which every processor
    /// rounds alike.
    pub turn: f64,
}

impl RigidTransform {
    /// No movement: the part lies as in the reference.
    pub const IDENTITY: Self = Self { shift: [0.0; 2], turn: 0.0 };

    /// Returns the cosine and sine of the angle.
    #[must_use]
    pub fn rotation(&self) -> [f64; 2] {
        let square = self.turn * self.turn;
        [(1.0 - square) / (1.0 + square), 2.0 * self.turn / (1.0 + square)]
    }

    /// Returns the angle in degrees, for people.
    #[must_use]
    pub fn degrees(&self) -> f64 {
        2.0 * self.turn.atan().to_degrees()
    }

    /// Returns the movement that undoes this one.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let [cos, sin] = self.rotation();
        let [x, y] = self.shift;
        Self { shift: [-(cos * x + sin * y), sin * x - cos * y], turn: -self.turn }
    }

    /// Returns this movement after the inverse of a small one, by `shift` and by `angle` in radians.
    #[must_use]
    pub(super) fn compose_inverse(&self, shift: [f64; 2], angle: f64) -> Self {
        let half = angle / 2.0;
        let turn = (self.turn - half) / (1.0 + self.turn * half);
        let new = Self { shift: self.shift, turn };
        let [cos, sin] = new.rotation();
        let [x, y] = shift;
        Self { shift: [self.shift[0] - (cos * x - sin * y), self.shift[1] - (sin * x + cos * y)], turn }
    }

    /// Returns where a picture with these sides has what the reference has at `point`.
    #[must_use]
    pub fn apply(&self, point: [f64; 2], sides: [f64; 2]) -> [f64; 2] {
        let [cos, sin] = self.rotation();
        let middle = sides.map(|side| (side - 1.0) / 2.0);
        let [x, y] = [point[0] - middle[0], point[1] - middle[1]];
        [cos * x - sin * y + middle[0] + self.shift[0], sin * x + cos * y + middle[1] + self.shift[1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_brings_points_back() {
        let movement = RigidTransform { shift: [7.0, -3.5], turn: 0.05 };
        let sides = [200.0, 100.0];
        for point in [[0.0, 0.0], [150.0, 20.0]] {
            let back = movement.inverse().apply(movement.apply(point, sides), sides);
            assert!((back[0] - point[0]).abs() < 1e-9 && (back[1] - point[1]).abs() < 1e-9, "{back:?}");
        }
    }

    #[test]
    fn a_small_movement_less_itself_is_none() {
        let angle = 0.02;
        let small = RigidTransform { shift: [0.3, 0.2], turn: (angle / 2.0_f64).tan() };
        let left = small.compose_inverse(small.shift, angle);
        assert!(left.turn.abs() < 1e-6 && left.shift.iter().all(|s| s.abs() < 1e-2), "{left:?}");
    }
}
