//! Groups of Kafka's newer protocols, which are not served here: kept, not served to clients, deleted whole.

use super::super::Stage;
use super::{files, options};
use crate::broker::{Broker, Kind};
use crate::{Attempt, java};

/// Kafka creates them, Milena keeps them, and Kafka opens them again.
pub(in crate::clients) fn suite(stage: &mut Stage) -> Attempt<()> {
    if stage.kind == Kind::Kafka {
        return Ok(());
    }
    stage.broker().stop()?;
    let options = options(&stage.folder.join("directory"))?;
    let class_path = java::class_path()?;
    let address = format!("127.0.0.1:{}", options.port);
    for (kind, verb) in
        [(Kind::Kafka, "groups-make"), (Kind::Milena, "groups-milena"), (Kind::Kafka, "groups-kafka")]
    {
        let mut broker = Broker::start(kind, options.clone())?;
        let mut command = java::command(&class_path, "milena.clients.Main", 256);
        stage.program(&format!("{verb}: "), command.arg(&address).arg(verb))?;
        broker.stop()?;
        files::sound(stage, &format!("{verb}: "), &options.data_dir(), true)?;
    }
    stage.broker().start_again()
}
