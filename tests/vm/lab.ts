// Everything around the machine, made once per test run: registry, images, ssh key, disks.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { sidOstree } from "../repo/ostree-versions.ts";
import { cacheDir, hashOf } from "./cache.ts";
import { buildBaseImage, buildImage, type Files, type Suite, writeContext } from "./images.ts";
import { bootMachine, type Disk, type Machine } from "./machine.ts";
import { createRegistry, REGISTRY_PORTS, type Registry } from "./registry.ts";
import { attempt, type Ran, sh } from "./shell.ts";

const TOP = join(import.meta.dirname, "../..");
const GIB = 1 << 30;

export interface Lab {
  readonly dir: string;
  readonly registry: Registry;
  /** The image that every variant is derived from: the base with our package. */
  readonly osImage: string;
  /** The executable from that package, which makes the installations. */
  readonly bootc: string;
  /** The environment in which `ostree` is that of the machines' release, or nearly. */
  readonly installEnv: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Programs that the lab needs; tests are skipped when one is missing. */
export const NEEDED = [
  ...["qemu-system-x86_64", "qemu-io", "debootstrap", "buildah", "docker-registry", "skopeo"],
  ...["mkfs.ext4", "mkfs.fat", "sfdisk", "partx", "nbdkit", "ssh", "ssh-keygen", "rpm", "ostree"],
];

/** Why a lab is impossible here; undefined when it is possible. */
export async function missingForLab(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "needs root";
  const found = await Promise.all(
    NEEDED.map(async (it) => (await attempt("sh", ["-c", `command -v ${it}`])).status === 0),
  );
  const missing = NEEDED.filter((_, i) => !found[i]);
  return missing.length > 0 ? `needs ${missing.join(", ")}` : undefined;
}

export interface LabOptions {
  /** `slot` keeps labs apart that are open at the same time. */
  readonly slot: number;
  /** Whether the machines enforce an SELinux policy; without it, their image has none. */
  readonly isEnforcing?: boolean;
  /** Debian's release, by default `trixie`; a machine with `sid` runs from composefs. */
  readonly suite?: Suite;
  /** Debian packages that the image has in addition. */
  readonly packages?: readonly string[];
}

export async function openLab(
  name: string,
  { slot, isEnforcing = false, suite = "trixie", packages = [] }: LabOptions,
): Promise<Lab> {
  const port = REGISTRY_PORTS[slot];
  if (port === undefined) throw new Error(`there is no slot ${slot}`);
  const dir = join(TOP, "target/vm", name);
  await mkdir(dir, { recursive: true });
  await ensureKey(join(dir, "id"));
  const registry = createRegistry(join(cacheDir(), `registry-${slot}`), port);
  await registry.start();
  try {
    const osImage = await buildOsImage(dir, { isEnforcing, suite, packages });
    const bootc = await extractExecutable(osImage, dir);
    // This machine's own ostree cannot make a deployment that boots from composefs.
    const installEnv = suite === "sid" ? sidOstree().env : {};
    return { dir, registry, osImage, bootc, installEnv, close: registry.stop };
  } catch (error) {
    await registry.stop();
    throw error;
  }
}

/** Disks that were installed earlier let in whoever has the key of that time. */
async function ensureKey(path: string): Promise<void> {
  if ((await attempt("test", ["-s", `${path}.pub`])).status === 0) return;
  await rm(path, { force: true });
  await sh("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
}

/** The package built by the packaging tasks, installed by rpm into the base image. */
async function buildOsImage(
  dir: string,
  { isEnforcing, suite, packages }: Required<Omit<LabOptions, "slot">>,
): Promise<string> {
  const base = await buildBaseImage({ suite, packages });
  const isPackage = process.env.BOOTC_VM_EXECUTABLE === undefined;
  const payload = isPackage ? await findPackage() : join(TOP, "target/bootc");
  const lines = [
    ...(isPackage ? PACKAGE_LINES : EXECUTABLE_LINES),
    ...COMMON_LINES,
    ...(isEnforcing
      ? [...(isPackage ? PACKAGED_MODULE_LINES : BARE_MODULE_LINES), ...ENFORCING_LINES]
      : PLAIN_LINES),
  ];
  const policy = await Promise.all(POLICY_FILES.map((it) => readFile(it)));
  const trusted = REGISTRY_PORTS.map(
    (port) => `[[registry]]\nlocation = "10.0.2.2:${port}"\ninsecure = true\n`,
  );
  const rootfs = isPackage ? "" : await digestOfTree(join(TOP, "packaging/rootfs"));
  const inputs = [base, await digestOf(payload), lines.join(), rootfs, ...trusted, ...policy];
  const name = `localhost/bootc-test-os:${hashOf(inputs)}`;
  if ((await attempt("buildah", ["inspect", "--type", "image", name])).status === 0) return name;
  const context = join(dir, "os-context");
  await writeContext(context, { "registries.conf": trusted.join("") });
  await sh("cp", [payload, join(context, "payload")]);
  if (isPackage) await sh("cp", [modulePackageOf(payload), join(context, "module")]);
  await sh("cp", ["--archive", join(TOP, "packaging/rootfs"), join(context, "rootfs")]);
  await mkdir(join(context, "selinux"));
  await sh("cp", [...POLICY_FILES, join(context, "selinux")]);
  await buildImage({ name, context, containerfile: [`FROM ${base}`, ...lines] });
  await rm(context, { recursive: true });
  return name;
}

/** The image's own program makes the installations: that of the package, not one from a checkout. */
async function extractExecutable(image: string, dir: string): Promise<string> {
  const container = (await sh("buildah", ["from", "--pull=never", image])).trim();
  try {
    const root = (await sh("buildah", ["mount", container])).trim();
    await sh("cp", [join(root, "usr/bin/bootc"), join(dir, "bootc")]);
  } finally {
    await sh("buildah", ["rm", container]);
  }
  return join(dir, "bootc");
}

const PACKAGE_LINES = [
  "COPY payload /usr/bootc.rpm",
  // The dependencies are Debian packages, which rpm does not know.
  "RUN rpm --dbpath /usr/lib/sysimage/rpm --nodeps --install /usr/bootc.rpm && rm /usr/bootc.rpm",
];

/** For quick iterations: the executable just built, without its package. */
const EXECUTABLE_LINES = [
  "COPY payload /usr/bin/bootc",
  "COPY rootfs /",
  "RUN chmod 755 /usr/bin/bootc && mkdir -p /usr/lib/bootc/bound-images.d /usr/lib/bootc/install",
];

const COMMON_LINES = [
  "RUN bootc --version",
  "COPY registries.conf /etc/containers/registries.conf.d/10-test.conf",
];

const POLICY_FILES = [
  join(TOP, "packaging/selinux/bootc.cil"),
  ...["debian.cil", "file_contexts.subs", "kargs.toml"].map((it) =>
    join(import.meta.dirname, "selinux", it),
  ),
];

const PACKAGED_MODULE_LINES = [
  "COPY module /usr/module.rpm",
  // Without a mount point at the root, which chroot does not give, rpm cannot run scriptlets in a mount namespace.
  "RUN rpm --dbpath /usr/lib/sysimage/rpm --nodeps --define '__transaction_unshare %{nil}'" +
    " --install /usr/module.rpm && rm /usr/module.rpm && semodule --list | grep --quiet bootc",
];

const BARE_MODULE_LINES = [
  "COPY selinux/bootc.cil /usr/share/selinux/packages/bootc.cil",
  "RUN semodule --noreload --priority=200 --install=/usr/share/selinux/packages/bootc.cil",
];

/** Debian's own policy is in the base; what it lacks comes on top. */
const ENFORCING_LINES = [
  "COPY selinux/debian.cil /usr/share/selinux/packages/debian.cil",
  "COPY selinux/file_contexts.subs /etc/selinux/default/contexts/files/",
  "COPY selinux/kargs.toml /usr/lib/bootc/kargs.d/05-selinux.toml",
  "RUN semodule --noreload --install=/usr/share/selinux/packages/debian.cil",
];

const PLAIN_LINES = ["RUN rm -rf /etc/selinux"];

/**
 * The newest package that `package-rpm` or `copr emulate` made. If there is none, it is made from the source package
 * in target/, or from the checkout.
 */
async function findPackage(): Promise<string> {
  const machine = process.arch === "x64" ? "x86_64" : "aarch64";
  const places = [join(TOP, "target"), join(TOP, "target/copr-emulation/rpms")];
  const found = await newestIn(places, `.${machine}.rpm`);
  if (found !== undefined) return found;
  const source = await newestIn([join(TOP, "target")], ".src.rpm");
  const from = source === undefined ? [] : ["--srpm", source];
  await sh("node", [join(TOP, "xtask/run.cjs"), "package-rpm", ...from], {
    cwd: TOP,
    timeoutMs: 1_800_000,
  });
  const made = await newestIn(places, `.${machine}.rpm`);
  if (made === undefined) throw new Error("`xtask package-rpm` left no package in target/");
  return made;
}

/** The package with the policy module, which is made together with the package itself. */
function modulePackageOf(path: string): string {
  const name = basename(path).replace(/^bootc-/, "bootc-selinux-");
  return join(dirname(path), name.replace(/\.\w+\.rpm$/, ".noarch.rpm"));
}

async function newestIn(dirs: readonly string[], ending: string): Promise<string | undefined> {
  const listings = dirs.map(async (dir) =>
    (await readdir(dir).catch(() => [])).map((it) => join(dir, it)),
  );
  const paths = (await Promise.all(listings)).flat();
  const wanted = paths.filter((it) => it.endsWith(ending) && /^bootc-\d/.test(basename(it)));
  const dated = await Promise.all(
    wanted.map(async (path) => ({ path, at: (await stat(path)).mtimeMs })),
  );
  return dated.sort((a, b) => b.at - a.at)[0]?.path;
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function digestOfTree(dir: string): Promise<string> {
  const tar = ["--create", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "."];
  return hashOf([await sh("tar", ["--directory", dir, ...tar])]);
}

export interface Variant {
  /** Files added to the image. */
  readonly files?: Files;
  /** More lines of its Containerfile. */
  readonly lines?: readonly string[];
}

/** Builds an image derived from the one with our package, and pushes it as `os:TAG`. */
export async function pushVariant(lab: Lab, tag: string, variant: Variant = {}): Promise<void> {
  const context = join(lab.dir, "variant-context");
  await writeContext(context, { "files/usr/share/variant": `${tag}\n` });
  const files = Object.fromEntries(
    Object.entries(variant.files ?? {}).map(([path, text]) => [`files/${path}`, text]),
  );
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(context, path, ".."), { recursive: true });
    await writeFile(join(context, path), text);
  }
  const name = variantName(lab, tag);
  const containerfile = [
    `FROM ${lab.osImage}`,
    "COPY files /",
    `LABEL org.opencontainers.image.version=${tag}`,
    ...(variant.lines ?? []),
  ];
  await buildImage({ name, context, containerfile });
  await push(lab, name, tag);
}

/** Labs that are open at the same time may use the same tags. */
function variantName(lab: Lab, tag: string): string {
  return `localhost/bootc-test-variant:${basename(lab.dir)}-${tag}`;
}

/** Removes what is here of an image that was pushed; the registry keeps it. */
export async function forgetVariant(lab: Lab, tag: string): Promise<void> {
  await sh("nice", ["buildah", "rmi", variantName(lab, tag)]);
}

/** Tags `os:FROM` as `os:TO`. */
export async function retag(lab: Lab, from: string, to: string): Promise<void> {
  const { hostName } = lab.registry;
  const tls = ["--src-tls-verify=false", "--dest-tls-verify=false"];
  const images = [`docker://${hostName}/os:${from}`, `docker://${hostName}/os:${to}`];
  await sh("skopeo", ["copy", "--quiet", ...tls, ...images]);
}

/** The same, and also tags the image as `os:latest`, which the machines follow. */
export async function release(lab: Lab, tag: string, variant: Variant = {}): Promise<void> {
  await pushVariant(lab, tag, variant);
  await retag(lab, tag, "latest");
}

async function push(lab: Lab, image: string, tag: string): Promise<void> {
  const target = `docker://${lab.registry.hostName}/os:${tag}`;
  await sh("nice", ["buildah", "push", "--quiet", "--tls-verify=false", image, target]);
}

export interface InstallWish {
  readonly name: string;
  readonly tag: string;
  readonly sizeGiB?: number;
  readonly args?: readonly string[];
}

/** Installs `os:TAG` to a new disk image with our own `install to-disk`. */
export async function installDisk(lab: Lab, wish: InstallWish): Promise<Disk> {
  const path = join(lab.dir, `${wish.name}.raw`);
  await newDiskFile(path, wish.sizeGiB ?? 6);
  const ran = await runInstall(lab, [
    ...["to-disk", "--via-loopback", "--filesystem", "ext4", "--bootloader", "none"],
    ...installArgs(lab, wish.tag),
    ...(wish.args ?? []),
    path,
  ]);
  if (ran.status !== 0) throw new Error(`install: ${ran.status}\n${ran.stderr}`);
  return { path, bootOffset: await rootOffset(path), bootDir: "boot" };
}

export async function newDiskFile(path: string, sizeGiB: number): Promise<void> {
  await rm(path, { force: true });
  await writeFile(path, "");
  await truncate(path, sizeGiB * GIB);
}

/** Source, target and ssh key, as in every installation of a test. */
export function installArgs(lab: Lab, tag: string): readonly string[] {
  return [
    ...["--source-imgref", `docker://${lab.registry.hostName}/os:${tag}`],
    ...["--target-imgref", `${lab.registry.guestName}/os:latest`],
    ...["--root-ssh-authorized-keys", join(lab.dir, "id.pub")],
  ];
}

/** Runs our `bootc install`, on this machine. */
export async function runInstall(lab: Lab, args: readonly string[]): Promise<Ran> {
  // Every version of skopeo reads settings for a single run only from here.
  const home = join(lab.dir, "home");
  const location = `location = "${lab.registry.hostName}"`;
  await mkdir(join(home, ".config/containers"), { recursive: true });
  const conf = join(home, ".config/containers/registries.conf");
  await writeFile(conf, `[[registry]]\n${location}\ninsecure = true\n`);
  return await attempt("nice", [lab.bootc, "install", ...args], {
    env: { ...lab.installEnv, HOME: home },
  });
}

/** Where the last partition of a disk image starts, in bytes. */
export async function rootOffset(path: string): Promise<number> {
  const text = await sh("sfdisk", ["--json", path]);
  const { partitiontable } = JSON.parse(text) as {
    partitiontable: { sectorsize: number; partitions: readonly { start: number }[] };
  };
  const last = partitiontable.partitions.at(-1);
  if (last === undefined) throw new Error(`${path} has no partition`);
  return last.start * partitiontable.sectorsize;
}

let boots = 0;

/** Console logs are numbered in the order of boots. */
export function nextConsole(name: string): string {
  boots += 1;
  return `${String(boots).padStart(3, "0")}-${name}`;
}

export async function boot(lab: Lab, disk: Disk, name: string): Promise<Machine> {
  const machine = await bootMachine({ workDir: lab.dir, name: nextConsole(name), disk });
  process.stderr.write(`${name}: ssh after ${Math.round(machine.bootMs / 1000)} s\n`);
  return machine;
}

/** The output of `bootc status --json` in the guest. */
export async function statusOf(machine: Machine) {
  return JSON.parse(await machine.must("bootc status --json")) as {
    readonly spec: { readonly image: { readonly image: string } | null };
    readonly status: Readonly<Record<"staged" | "booted" | "rollback", Entry | null>> & {
      readonly rollbackQueued: boolean;
    };
  };
}

interface Entry {
  readonly image: {
    readonly image: { readonly image: string; readonly transport: string };
    readonly version: string | null;
    readonly imageDigest: string;
  } | null;
  readonly ostree: { readonly checksum: string; readonly deploySerial: number } | null;
  readonly downloadOnly: boolean;
  readonly incompatible: boolean;
  readonly softRebootCapable: boolean;
}

export async function consoleOf(machine: Machine): Promise<string> {
  return await readFile(machine.consolePath, "utf8");
}
