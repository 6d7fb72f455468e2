//! The files of the image, laid out for a test, and what else an engine puts beside them.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use taurus_controlplane::needs;
use tempfile::TempDir;

use crate::world::{
    program,
    tools::{printed, root},
};

/// Where a pod's certificate authorities are in the image.
pub const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

/// The user of the Dockerfile.
const USER: &str = "65532:65532";

/// Makes a folder (`$1`) the whole of what can be read, and nothing of it can be written to.
const ALONE: &str = "mount --bind \"$1\" \"$1\"
    mount -o remount,bind,ro \"$1\"
    root=$1
    shift";

/// A root file system.
pub struct Image {
    folder: TempDir,
}

impl Image {
    /// As `build/image-root` lays it out, in the profile that is built soonest. A test is left out where the program was not
    /// built, or where it can't be run as in an image.
    pub fn laid_out() -> Self {
        let found = printed(
            script("static")
                .args(["--profile", "dev", "--find"])
                .output()
                .unwrap(),
        );
        if found.is_empty() {
            let way = "it is not built: run `make static-for-tests`, which says what that needs";
            needs::lacking("the program of the image", way);
        }
        let tried = Command::new("unshare")
            .args(namespace())
            .args(["mount", "-t", "tmpfs", "none", "/mnt"])
            .output();
        if !tried.is_ok_and(|output| output.status.success()) {
            let way = "nobody may have one here (unshare --mount): allow user namespaces";
            needs::lacking("a file system of their own", way);
        }
        let image = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let built = script("image-root")
            .arg(image.path())
            .args(["--profile", "dev"])
            .output()
            .unwrap();
        assert!(built.status.success(), "{built:?}");
        image
    }

    /// What runs its program in it as a pod would: with no other files, none of them writable, no privileges to gain, and an
    /// environment of its own. Only root can become the user of the image.
    pub fn command(&self) -> tokio::process::Command {
        let user = if is_root() {
            format!("--userspec={USER} --groups=")
        } else {
            String::new()
        };
        let become_it = format!("exec setpriv --no-new-privs chroot {user} \"$root\"");
        let script = format!("{ALONE}\n{become_it} /taurus-port-operator \"$@\"");
        let mut command = program::command("unshare");
        // This machine's authorities, home and proxies are none of a pod's.
        for (variable, _) in std::env::vars().filter(|(name, _)| name != "PATH") {
            command.env_remove(variable);
        }
        command
            .args(namespace())
            .args(["sh", "-ec", &script, "sh"])
            .arg(self.path());
        command
    }

    /// Where it lies.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// All files with their modes, by their paths in the image.
    pub fn files(&self) -> Vec<(String, u32)> {
        let found = Command::new("find").arg(self.path()).output().unwrap();
        let found = printed(found);
        let paths = found.lines().map(Path::new).filter(|path| !path.is_dir());
        let mut files: Vec<_> = paths
            .map(|path| {
                let mode = fs::symlink_metadata(path).unwrap().permissions().mode();
                let name = path.strip_prefix(self.path()).unwrap();
                (name.to_str().unwrap().to_owned(), mode)
            })
            .collect();
        files.sort();
        files
    }

    /// Puts a file there, as an engine does with those that it mounts.
    pub fn put(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // The ones of the image can't be written to.
        let _ = fs::remove_file(&path);
        fs::write(path, text).unwrap();
    }
}

/// How to get a file system of one's own: whoever isn't root becomes the root of nothing else.
pub fn namespace() -> &'static [&'static str] {
    if is_root() {
        &["--mount"]
    } else {
        &["--map-root-user", "--mount"]
    }
}

/// Whether this process may become the user of the image.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A script of `build`, without what cargo tells the tests of their own package: the packages that it builds would take it
/// for theirs, and be built anew each time.
fn script(name: &str) -> Command {
    let mut script = Command::new(root().join("build").join(name));
    let of_package = ["PKG", "MANIFEST", "BIN", "CRATE", "PRIMARY"];
    for (variable, _) in std::env::vars() {
        let word = variable.strip_prefix("CARGO_").unwrap_or_default();
        if of_package.iter().any(|begin| word.starts_with(begin)) {
            script.env_remove(variable);
        }
    }
    script
}
