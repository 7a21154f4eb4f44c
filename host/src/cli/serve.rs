//! `addon-host serve`

use std::process::ExitCode;

use addon_host::web::{self, ServeOptions};
use anyhow::Result;
use clap::Args;

use super::context::Context;

#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    options: ServeOptions,
}

impl Serve {
    pub async fn execute(self, context: &Context) -> Result<ExitCode> {
        let host = context.host().await?;
        web::serve(host, self.options).await?;
        Ok(ExitCode::SUCCESS)
    }
}
