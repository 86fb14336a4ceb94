// A small build chroot: no network, another user, an empty environment, and without the system's Node.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { exists, readLinkIfAny } from "../../src/system/files.ts";

/** The path of a sandbox's only writable folder. */
export const BUILD_FOLDER = "/builddir";

export interface Sandbox {
  /** Our folder that the sandbox sees as `/builddir`; it contains `passwd` and `group`. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** More folders to show read-only: their paths outside, and their paths in the sandbox. */
  readonly shown?: Readonly<Record<string, string>>;
}

/** Accounts in the sandbox; without a name for its user, rpmbuild complains about every file. */
export const ACCOUNTS = {
  passwd: "root:x:0:0::/:/bin/sh\nbuilder:x:1000:1000::/builddir:/bin/sh\n",
  group: "root:x:0:\nbuilder:x:1000:\n",
};

/** The files in /etc without which a distribution's programs do not start. */
const ETC = ["alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "rpm", "os-release"];
/** The system's Node and npm, and programs installed by hand. */
const HIDDEN_FOLDERS = ["/usr/local", "/usr/lib/node_modules", "/usr/share/nodejs"];
const HIDDEN_PROGRAM = /^(?:node|nodejs|npm|npx|corepack)(?:-\d+)?$/;
/** Links into /usr on systems with a merged /usr, folders on others. */
const TOP = ["/bin", "/sbin", "/lib", "/lib32", "/lib64"];

/** The words that start a program in the sandbox; the program and its arguments follow. */
export async function sandboxCommand({
  folder,
  env,
  shown = {},
}: Sandbox): Promise<readonly string[]> {
  const hidden = await existing(HIDDEN_FOLDERS);
  const programs = await readHiddenPrograms();
  const etc = await existing(ETC.map((it) => `/etc/${it}`));
  const setenv = { HOME: BUILD_FOLDER, PATH: "/usr/bin:/usr/sbin", LC_ALL: "C.UTF-8", ...env };
  return [
    "bwrap",
    ...["--unshare-all", "--die-with-parent", "--new-session", "--clearenv"],
    ...["--uid", "1000", "--gid", "1000", "--hostname", "builder"],
    ...["--ro-bind", "/usr", "/usr"],
    ...(await Promise.all(TOP.map(placeTop))).flat(),
    ...etc.flatMap((it) => ["--ro-bind", it, it]),
    ...["passwd", "group"].flatMap((it) => ["--ro-bind", join(folder, it), `/etc/${it}`]),
    ...hidden.flatMap((it) => ["--tmpfs", it]),
    ...programs.flatMap((it) => ["--ro-bind", "/dev/null", it]),
    ...["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/var/tmp"],
    ...Object.entries(shown).flatMap(([from, to]) => ["--ro-bind", from, to]),
    ...["--bind", folder, BUILD_FOLDER, "--chdir", BUILD_FOLDER],
    ...Object.entries(setenv).flatMap(([name, value]) => ["--setenv", name, value]),
    "--",
  ];
}

/** Skips links, which lead to other files of this list or into a hidden folder. */
async function readHiddenPrograms(): Promise<readonly string[]> {
  const found = await readdir("/usr/bin", { withFileTypes: true });
  return found
    .filter((it) => it.isFile() && HIDDEN_PROGRAM.test(it.name))
    .map((it) => `/usr/bin/${it.name}`);
}

async function placeTop(path: string): Promise<readonly string[]> {
  const target = await readLinkIfAny(path);
  return target === undefined ? ["--ro-bind-try", path, path] : ["--symlink", target, path];
}

async function existing(paths: readonly string[]): Promise<readonly string[]> {
  const known = await Promise.all(paths.map(exists));
  return paths.filter((_, i) => known[i]);
}
