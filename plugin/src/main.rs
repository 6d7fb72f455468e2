//! Parses the command line, finds out where it runs, and does what is asked for.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::Parser as _;
use jiff::Timestamp;
use taurus_port_plugin::{
    Ending,
    cli::{self, Cli},
    completion,
    pipe::Pipe,
    run,
    surroundings::{Surroundings, Terminal},
};

/// What is asked for, by the name under which the program is called.
enum Task {
    Run(Box<Cli>),
    /// kubectl or a shell asks for completions of these words.
    Complete(Vec<String>),
}

impl Task {
    fn of_command_line() -> Result<Self, clap::Error> {
        let mut words = std::env::args_os();
        let program = words.next().unwrap_or_default();
        let name = Path::new(&program).file_stem();
        // A word that is no text completes nothing; as an argument it is refused, or names a file.
        let words: Vec<String> = words
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        if name.is_some_and(|name| name == completion::NAME) {
            return Ok(Self::Complete(words));
        }
        if let [word, words @ ..] = words.as_slice()
            && word == completion::WORD
        {
            return Ok(Self::Complete(words.to_vec()));
        }
        let cli = Cli::try_parse().map_err(cli::with_hint)?;
        Ok(Self::Run(Box::new(cli)))
    }
}

fn main() -> ExitCode {
    let task = match Task::of_command_line() {
        Ok(task) => task,
        Err(error) => {
            let _ = error.print();
            // As kubectl: 2 means that something would change.
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    // An error means that there is a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let mut out = io::BufWriter::new(Pipe::new(io::stdout()));
    let mut err = Pipe::silent(io::stderr());
    let mut around = Surroundings {
        input: &mut io::stdin().lock(),
        out: &mut out,
        err: &mut err,
        terminal: terminal(),
        now: Timestamp::now,
        variable: &|name| std::env::var(name).ok(),
    };
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(async {
            match task {
                Task::Run(cli) => run(*cli, &mut around).await,
                Task::Complete(words) => {
                    let answered = completion::answer(&words, &mut around).await;
                    answered.map(|()| Ending::Done)
                }
            }
        }),
        Err(error) => Err(error.into()),
    };
    let flushed = match around.out.flush() {
        // What came of it is known all the same.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        flushed => flushed,
    };
    let ended = ended.and_then(|ending| Ok(flushed.map(|()| ending)?));
    match ended {
        Ok(ending) => ExitCode::from(ending.code()),
        // Only a watch ends by that.
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

/// Colours and widths are for terminals alone.
fn terminal() -> Terminal {
    let out = console::Term::stdout();
    let is_terminal = out.is_term();
    let dumb = std::env::var("TERM").is_ok_and(|kind| kind == "dumb");
    let uncoloured = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Terminal {
        columns: is_terminal.then(|| usize::from(out.size().1)),
        colours: is_terminal && !dumb && !uncoloured,
        can_ask: io::stdin().is_terminal(),
    }
}
