//! The order in which channels are pruned.

use std::fmt;

use gifthorse_api::catalogue::{Coded, ErrorCode};
use serde::{Deserialize, Serialize};

use super::activation::MeanActivations;

/// Why channels cannot be ranked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RankingError {
    /// No channel fires on any image.
    #[error(
        "all {channels} channels of the layer are zero on all {images} images: there is nothing to rank, check \
         the preprocessing record or name another layer"
    )]
    AllDead {
        /// Channels of the layer.
        channels: usize,
        /// Images looked at.
        images: u64,
    },
    /// A list of channels is no order of them.
    #[error("{channel} at place {place} makes no order of {channels} channels: each comes once")]
    NoOrder {
        /// Where in the list.
        place: usize,
        /// What stands there.
        channel: usize,
        /// Length of the list.
        channels: usize,
    },
}

impl Coded for RankingError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::AllDead { .. } => ErrorCode::DatasetInvalid,
            Self::NoOrder { .. } => ErrorCode::RecordInvalid,
        }
    }
}

/// All channels of a layer, the one that is pruned first in front.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<usize>", into = "Vec<usize>")]
pub struct Ranking(Vec<usize>);

impl Ranking {
    /// By mean activation, ascending; equals by number.
    ///
    /// # Errors
    /// [`RankingError::AllDead`] when no channel fires on any image.
    pub fn ascending(activations: &MeanActivations) -> Result<Self, RankingError> {
        let means = activations.means();
        if activations.dead().len() == means.len() {
            let (channels, images) = (means.len(), activations.images());
            return Err(RankingError::AllDead { channels, images });
        }
        let mut order: Vec<usize> = (0..means.len()).collect();
        // A stable sort keeps equals in the order of their numbers; adding zero makes one of both zeros.
        order.sort_by(|one, other| (means[*one] + 0.0).total_cmp(&(means[*other] + 0.0)));
        Ok(Self(order))
    }

    /// The channels in order.
    pub fn order(&self) -> &[usize] {
        &self.0
    }

    /// Count of channels.
    pub fn channels(&self) -> usize {
        self.0.len()
    }

    /// The channels that `count` steps prune, ascending; all of them when it is more than there are.
    pub fn pruned(&self, count: usize) -> Vec<usize> {
        let mut pruned = self.0[..count.min(self.0.len())].to_vec();
        pruned.sort_unstable();
        pruned
    }
}

impl TryFrom<Vec<usize>> for Ranking {
    type Error = RankingError;

    fn try_from(order: Vec<usize>) -> Result<Self, RankingError> {
        let channels = order.len();
        let mut seen = vec![false; channels];
        for (place, channel) in order.iter().copied().enumerate() {
            match seen.get_mut(channel) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(RankingError::NoOrder { place, channel, channels }),
            }
        }
        Ok(Self(order))
    }
}

impl From<Ranking> for Vec<usize> {
    fn from(ranking: Ranking) -> Self {
        ranking.0
    }
}

impl fmt::Display for Ranking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, channel) in self.0.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(formatter, "{space}{channel}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;
    use proptest::prelude::*;

    use super::*;
    use crate::input::{Layout, PlaneShape};
    use crate::pruning::ChannelMeans;

    fn means(values: &[f32]) -> MeanActivations {
        let channels = values.len();
        let shape = PlaneShape { layout: Layout::ChannelsFirst, height: 1, width: 1, channels };
        let mut means = ChannelMeans::new(shape);
        let block = Array4::from_shape_vec((1, channels, 1, 1), values.to_vec()).unwrap();
        means.add(block.view()).unwrap();
        means.finish().unwrap()
    }

    #[test]
    fn ascending_with_ties_by_number() {
        let ranking = Ranking::ascending(&means(&[0.5, 0.0, -0.0, 0.25, 0.0, 0.25])).unwrap();
        assert_eq!(ranking.order(), [1, 2, 4, 3, 5, 0]);
        assert_eq!(ranking.pruned(4), [1, 2, 3, 4]);
        assert_eq!(ranking.pruned(99).len(), 6);
        assert_eq!(ranking.to_string(), "1 2 4 3 5 0");
    }

    #[test]
    fn dead_layers_are_refused() {
        let refused = Ranking::ascending(&means(&[0.0; 7])).unwrap_err();
        assert_eq!(refused, RankingError::AllDead { channels: 7, images: 1 });
        assert!(refused.to_string().contains("all 7 channels"), "{refused}");
    }

    #[test]
    fn stored_orders_are_checked() {
        let ranking: Ranking = serde_json::from_str("[2,0,1]").unwrap();
        assert_eq!(serde_json::to_string(&ranking).unwrap(), "[2,0,1]");
        for bad in ["[0,0]", "[1,2]", "[0,3,1]"] {
            assert!(serde_json::from_str::<Ranking>(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn it_is_an_order_of_the_means(values in prop::collection::vec(0_u8..9, 1..80)) {
            let levels: Vec<f32> = values.iter().map(|value| f32::from(*value) / 4.0).collect();
            let means = means(&levels);
            let ranked = Ranking::ascending(&means);
            prop_assert_eq!(ranked.is_err(), values.iter().all(|value| *value == 0));
            if let Ok(ranking) = ranked {
                for pair in ranking.order().windows(2) {
                    let (one, other) = (means.means()[pair[0]], means.means()[pair[1]]);
                    prop_assert!(one < other || (one.to_bits() == other.to_bits() && pair[0] < pair[1]));
                }
                prop_assert_eq!(Ranking::try_from(ranking.order().to_vec()).unwrap(), ranking);
            }
        }
    }
}
