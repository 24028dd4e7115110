//! Who keeps house.

use super::*;
use crate::database::Engine;
use crate::queue::leader::Leadership;

pub(super) async fn one_trainer_of_several_keeps_house(place: Place) {
    let pair = Pair::on(&place).await;
    let [mut one, mut other] = [Leadership::new().unwrap(), Leadership::new().unwrap()];
    let is_file = pair.one.database.engine() == Engine::Sqlite;
    assert!(pair.one.leads(&mut one).await.unwrap());
    assert_eq!(pair.other.leads(&mut other).await.unwrap(), is_file, "a file has one trainer");
    // It leads on, and the other one does when it is not heard of for a term.
    assert!(pair.one.leads(&mut one).await.unwrap());
    pair.pass(Duration::from_mins(1));
    assert!(pair.other.leads(&mut other).await.unwrap());
    let mut one_again = Leadership::new().unwrap();
    assert_eq!(pair.one.leads(&mut one_again).await.unwrap(), is_file);
}
