//! The binary at a real terminal, and what stands on its screen.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::support::TestProject;

/// Rows and columns.
pub const SIZE: (u16, u16) = (60, 120);

/// No step of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

fn nonzero(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap()
}

/// The binary at a terminal.
pub struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
}

fn size((rows, cols): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

impl Terminal {
    /// Starts it in a project, without colours, and waits for the first prompt.
    pub fn repl(project: &TestProject, args: &[&str]) -> Terminal {
        let terminal = Terminal::start(project, args, &[("NO_COLOR", "1")]);
        terminal.prompt(1);
        terminal
    }

    /// Starts it with this environment.
    pub fn start(project: &TestProject, args: &[&str], environment: &[(&str, &str)]) -> Terminal {
        Terminal::command(project, &[&["repl"], args].concat(), environment, SIZE)
    }

    /// Starts the binary with these arguments, at a terminal of so many rows and columns.
    pub fn command(
        project: &TestProject,
        args: &[&str],
        environment: &[(&str, &str)],
        rows_and_columns: (u16, u16),
    ) -> Terminal {
        let pair = native_pty_system().openpty(size(rows_and_columns)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_fthost"));
        command.args(args);
        command.cwd(project.root());
        command.env("TERM", "xterm-256color");
        command.env_remove("OPENAI_API_KEY");
        command.env_remove("NO_COLOR");
        environment.iter().for_each(|(name, value)| command.env(name, value));
        let child = pair.slave.spawn_command(command).unwrap();
        let mut output = pair.master.try_clone_reader().unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(
            nonzero(rows_and_columns.0),
            nonzero(rows_and_columns.1),
            0,
        )));
        let seen = screen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 65_536];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                seen.lock().unwrap().process(&bytes[..count]);
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        Terminal { screen, keyboard, child, master: pair.master }
    }

    /// Gives the terminal another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(nonzero(rows), nonzero(columns));
        self.master.resize(size((rows, columns))).unwrap();
    }

    /// Whether the screen is the one beside that of the shell, which comes back when a program leaves it.
    pub fn is_alternate(&self) -> bool {
        self.screen.lock().unwrap().screen().alternate_screen()
    }

    /// What stands on the screen.
    pub fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// What stands there, with its colours.
    pub fn coloured(&self) -> String {
        self.screen.lock().unwrap().screen().contents_formatted()
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Types a line.
    pub fn enter(&mut self, line: &str) {
        self.press(&format!("{line}\r"));
    }

    /// Types an entry at a prompt that is there, and waits for the next one.
    #[track_caller]
    pub fn entry(&mut self, number: usize, line: &str) {
        self.enter(line);
        self.prompt(number + 1);
    }

    /// Clears the screen.
    pub fn clear(&mut self) {
        self.press("\x0c");
        self.until("an empty screen", |text| text.lines().filter(|line| !line.is_empty()).count() <= 1);
    }

    /// Waits until the screen has a text.
    #[track_caller]
    pub fn shows(&self, text: &str) {
        self.until(&format!("{text:?}"), |screen| screen.contains(text));
    }

    /// Waits for an empty prompt of this number in the last line.
    #[track_caller]
    pub fn prompt(&self, number: usize) {
        self.last_line(&format!("{number}>"));
    }

    /// Waits until the last line is this one.
    #[track_caller]
    pub fn last_line(&self, expected: &str) {
        self.until(&format!("last line {expected:?}"), |screen| {
            screen.trim_end().lines().next_back().is_some_and(|line| line.trim_end() == expected)
        });
    }

    /// Waits until something holds of the screen.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&str) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(&self.text()) {
            assert!(Instant::now() < end, "waited too long for {what}; on the screen:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Waits for its end: the exit code.
    #[track_caller]
    pub fn ends(mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(Instant::now() < end, "does not end; on the screen:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Leaves by Ctrl-D.
    #[track_caller]
    pub fn leave(mut self) {
        self.press("\x04");
        assert_eq!(self.ends(), 0);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
