//! Folders that a platform makes, and the users that processes run as.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use session_core::{Expect, SessionManager};
use session_fs::Durability;

use crate::{
    Done, Scenario,
    mounts::{EXT4, Mounted},
    visit::{User, block_on, expect, made, open, shell, stored},
};

/// What the kubelet does to a volume with `fsGroup: 2000`, at each mount.
fn fs_group(volume: &Path) -> Done {
    let volume = volume.display();
    shell(&format!(
        "chgrp -R 2000 {volume} && find {volume} -type f -exec chmod g+rw {{}} + && \
         find {volume} -type d -exec chmod g+rwxs {{}} +"
    ))
    .map(drop)
}

fn mode(path: &Path) -> Done<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o7777)
}

pub(crate) const KUBERNETES: &[Scenario] = &[
    ("a volume with fsGroup is used by every start, whatever it is given in between", |folder| {
        let volume = Mounted::in_file(folder, 32, EXT4)?;
        fs_group(&volume.0)?;
        let app = User::in_group(1000);
        for path in [volume.0.clone(), volume.0.join("named")] {
            let first = app.starts(&path)?;
            fs_group(&volume.0)?;
            app.uses(&path, &first)?;
            app.starts(&path)?;
        }
        // The root of a volume that a group may write to is left to the platform.
        expect(volume.0.join("sessions/layout").exists(), "sessions are in a folder of their own")
    }),
    ("a user whom the platform gives anew goes on with the sessions there are", |folder| {
        let volume = Mounted::in_file(folder, 32, EXT4)?;
        fs_group(&volume.0)?;
        let (first, second) = (User::in_group(1000), User::in_group(1001));
        let ids = first.starts(&volume.0)?;
        fs_group(&volume.0)?;
        second.uses(&volume.0, &ids)?;
        let others = second.starts(&volume.0)?;
        second.welcomes(&volume.0, 300)?;
        first.uses(&volume.0, &others)?;
        first.welcomes(&volume.0, 300)
    }),
    ("emptyDir on a read-only root is used by a process that may write nowhere else", |folder| {
        let volume = Mounted::tmpfs(folder, "mode=777,size=32m")?;
        fs::create_dir(folder.join("root"))?;
        shell(&format!("mount -t tmpfs -o ro tmpfs {}/root", folder.display()))?;
        let root = Mounted(folder.join("root"));
        let ids = User::APP.starts(&volume.0)?;
        User::APP.uses(&volume.0, &ids)?;
        let inside = volume.0.join("sessions");
        expect(mode(&inside)? == 0o700, "the folder in it is private")?;
        let refused = User::APP.is_refused(&root.0)?;
        expect(refused.contains(&*root.0.to_string_lossy()), &refused)
    }),
    ("sessions stay where they are when the mount's rights change", |folder| {
        let volume = Mounted::tmpfs(folder, "mode=700,uid=1000,size=32m")?;
        let ids = User::APP.starts(&volume.0)?;
        fs::set_permissions(&volume.0, fs::Permissions::from_mode(0o777))?;
        User::APP.uses(&volume.0, &ids)?;
        let other = Mounted::tmpfs(&folder.join("b"), "mode=777,uid=1000,size=32m")?;
        let ids = User::APP.starts(&other.0)?;
        fs::set_permissions(&other.0, fs::Permissions::from_mode(0o700))?;
        User::APP.uses(&other.0, &ids)
    }),
];

pub(crate) const DOCKER: &[Scenario] = &[
    (
        "a volume that belongs to root is refused with both users, and works once it is given",
        |folder| {
            let volume = Mounted::in_file(folder, 32, EXT4)?;
            let path = volume.0.join("sessions");
            fs::create_dir(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
            let refused = User::APP.is_refused(&path)?;
            expect(refused.contains("uid 0") && refused.contains("uid 1000"), &refused)?;
            shell(&format!("chown 1000:1000 {0} && chmod 700 {0}", path.display()))?;
            let ids = User::APP.starts(&path)?;
            User::APP.uses(&path, &ids)
        },
    ),
    ("a folder of the host that is bound is used", |folder| {
        let (host, at) = (folder.join("host"), folder.join("bound"));
        for path in [&host, &at] {
            fs::create_dir(path)?;
        }
        shell(&format!("chown 1000:1000 {0} && chmod 700 {0}", host.display()))?;
        shell(&format!("mount --bind {} {}", host.display(), at.display()))?;
        let bound = Mounted(at);
        let ids = User::APP.starts(&bound.0)?;
        User::APP.uses(&host, &ids)
    }),
];

pub(crate) const SYSTEMD: &[Scenario] = &[
    ("a state directory of a dynamic user is used, through its link", |folder| {
        // As `DynamicUser=` and `StateDirectory=` make it.
        let private = folder.join("private/app");
        fs::create_dir_all(&private)?;
        std::os::unix::fs::symlink("private/app", folder.join("app"))?;
        shell(&format!("chown 61234:61234 {0} && chmod 700 {0}", private.display()))?;
        let user = User { uid: 61234, gid: 61234, group: None };
        let sessions = folder.join("app/sessions");
        let ids = user.starts(&sessions)?;
        user.uses(&sessions, &ids)?;
        // Another user at the next start: systemd gives the whole folder to it.
        shell(&format!("chown -R 61235:61235 {}", private.display()))?;
        User { uid: 61235, gid: 61235, group: None }.uses(&sessions, &ids)
    }),
    ("folders that tmpfiles, or find, tidies away are made again", |folder| {
        let sessions = folder.join("sessions");
        let manager = open(&sessions, Durability::Buffered)?;
        let rules = folder.join("tidy.conf");
        fs::write(&rules, format!("e {} - - - 0\n", sessions.display()))?;
        for command in [
            format!("find {} -mindepth 1 -type d -empty -delete", sessions.display()),
            format!("systemd-tmpfiles --clean {}", rules.display()),
        ] {
            shell(&command)?;
            crate::visit::start(&manager)?;
        }
        Ok(())
    }),
    ("tmpfiles makes the folder, and leaves it and what is in it alone", |folder| {
        let sessions = folder.join("sessions");
        let rules = folder.join("app.conf");
        fs::write(&rules, format!("d {} 0700 1000 1000 -\n", sessions.display()))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        shell(&format!("systemd-tmpfiles --create {}", rules.display()))?;
        let ids = User::APP.starts(&sessions)?;
        shell(&format!("systemd-tmpfiles --create --clean {}", rules.display()))?;
        User::APP.uses(&sessions, &ids)
    }),
];

fn of_app(folder: &Path) -> Done<std::path::PathBuf> {
    let sessions = folder.join("sessions");
    fs::create_dir(&sessions)?;
    shell(&format!("chown 1000:1000 {}", sessions.display()))?;
    Ok(sessions)
}

pub(crate) const USERS: &[Scenario] = &[
    ("what root makes is the owner's, before and after the owner's own", |folder| {
        let sessions = of_app(folder)?;
        for _ in 0..2 {
            let ids = User::ROOT.starts(&sessions)?;
            User::ROOT.welcomes(&sessions, 1_500)?;
            User::APP.uses(&sessions, &ids)?;
            User::APP.welcomes(&sessions, 1_500)?;
            User::APP.starts(&sessions)?;
        }
        let found = shell(&format!("find {} ! -uid 1000", sessions.display()))?;
        expect(found.is_empty(), &format!("not the owner's: {found}"))
    }),
    ("another user is refused, with both uids", |folder| {
        let sessions = of_app(folder)?;
        User::APP.starts(&sessions)?;
        let other = User { uid: 1001, gid: 1001, group: None };
        for mode in ["700", "755"] {
            shell(&format!("chmod {mode} {}", sessions.display()))?;
            let refused = other.is_refused(&sessions)?;
            expect(refused.contains("uid 1000") && refused.contains("uid 1001"), &refused)?;
        }
        Ok(())
    }),
    ("a session that cannot be read is its visitor's matter, who can log in again", |folder| {
        let sessions = folder.join("sessions");
        let manager = open(&sessions, Durability::Buffered)?;
        let record = made(crate::records::new_id(), 1, None, 200);
        stored(block_on(manager.put(&record, Expect::Absent)))?;
        drop(manager);
        shell(&format!("chown -R 1000:1000 {}", sessions.display()))?;
        let found = shell(&format!("find {}/records -type f", sessions.display()))?;
        let file = found.trim();
        shell(&format!("chown 0:0 {file} && chmod 600 {file}"))?;
        expect(fs::metadata(file)?.uid() == 0, "it is root's")?;
        let mut text = [0; session_core::SessionId::TEXT_BYTES];
        let id = record.id().encode(&mut text).to_owned();
        let error = User::APP.uses(&sessions, &[id]).err().ok_or("it was read")?.to_string();
        expect(error.contains("of a session belongs to uid 0"), &error)?;
        User::APP.welcomes(&sessions, 300)
    }),
];
