//! How far long work is.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar, or none.
pub struct Progress {
    bar: Option<ProgressBar>,
    what: String,
}

impl Progress {
    /// A bar on standard error, if it is shown.
    pub fn new(shown: bool) -> Self {
        let bar = shown.then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
        Self { bar, what: String::new() }
    }

    /// `done` of `total` steps of `what`.
    pub fn show(&mut self, what: &str, done: u64, total: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        if self.what != what {
            self.what = what.to_owned();
            let template = "{msg} [{bar:30}] {pos}/{len} {eta}";
            bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.set_message(what.to_owned());
        }
        bar.set_length(total.unwrap_or(done));
        bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
