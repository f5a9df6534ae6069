//! A wall clock that a test sets under a running process.

use std::path::PathBuf;
use std::process::Command;

use super::directory::Directory;

/// Takes the place of the C library's function: adds the seconds that a file holds to the wall clock, and leaves the
/// monotonic clock alone, as setting the machine's clock would.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, id, now);
    const char *path = getenv("TEST_CLOCK_OFFSET");
    if (result == 0 && path && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        char text[32] = {0};
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            if (read(file, text, sizeof(text) - 1) > 0) now->tv_sec += atoll(text);
            close(file);
        }
    }
    return result;
}
"#;

/// The clock of a process that is started with [`Clock::environment`].
pub(crate) struct Clock {
    directory: Directory,
}

impl Clock {
    /// A clock that is right.
    pub(crate) fn new() -> Clock {
        let clock = Clock { directory: Directory::new() };
        let source = clock.path("clock.c");
        std::fs::write(&source, SOURCE).expect("a directory of ours can be written");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(clock.path("clock.so")).arg(source);
        let status = compiler.status().expect("there is a C compiler, which the product needs to be built");
        assert!(status.success(), "the clock compiles");
        clock.set(0);
        clock
    }

    /// Sets the clock to be ahead by so many seconds, or behind if they are negative.
    pub(crate) fn set(&self, seconds: i64) {
        // In one step: whoever reads it meanwhile finds the one or the other.
        let written = self.path("offset.new");
        std::fs::write(&written, seconds.to_string()).expect("a directory of ours can be written");
        std::fs::rename(written, self.path("offset")).expect("a file of ours can be renamed");
    }

    /// The variables that make a process read the time from this clock.
    pub(crate) fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [("LD_PRELOAD", self.path("clock.so")), ("TEST_CLOCK_OFFSET", self.path("offset"))]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}
