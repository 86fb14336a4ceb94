// The core of every installation: the ostree layout, the image, the first deployment, the boot loader.
import { writeFile } from "node:fs/promises";
import { release } from "node:os";
import { dirname, join } from "node:path";
import {
  requireBoundImages,
  storeBoundImages,
  storeInstalledImage,
} from "../deploy/bound-images/install.ts";
import { BootcError, doing } from "../errors.ts";
import { formatAleph } from "../host/aleph.ts";
import { collectKargs } from "../host/image-kargs.ts";
import { labelsOf, versionOf } from "../image/config.ts";
import { formatImageReference, formatOstreeReference } from "../image/reference.ts";
import { imageRef } from "../ostree/ref-names.ts";
import { prepareGrubMenu } from "../programs/boot/grub-install.ts";
import { readSecureBootKeys } from "../programs/boot/systemd-boot.ts";
import {
  configureRepo,
  deployFirst,
  ensureStateroot,
  initSysroot,
} from "../programs/ostree/install.ts";
import { createRef, deleteRefs } from "../programs/ostree/repo.ts";
import { showProgress } from "../progress/show.ts";
import { planPull } from "../pull/plan/plan.ts";
import { pullImage } from "../pull/pull.ts";
import type { PulledImage } from "../pull/request.ts";
import { openCommit } from "../repository/tree.ts";
import { listDeploymentsOnDisk } from "../sysroot/deployments.ts";
import { readKargsFiles } from "../sysroot/image-kargs.ts";
import { type PrepareRoot, readPrepareRoot } from "../sysroot/prepare-root.ts";
import type { Context } from "../system/context.ts";
import { makeDirectories, readFileIfAny, readLinkIfAny, replaceFile } from "../system/files.ts";
import { isSelinuxOn } from "../system/label.ts";
import {
  type BootloaderSetup,
  decideBootloader,
  installBootloader,
  requirePlace,
} from "./bootloader.ts";
import { warnOfPartitionTable } from "./disk/partition-table.ts";
import { withLabelRights } from "./machine/label-rights.ts";
import { orderKargs } from "./plan/kargs.ts";
import { withFstabMount } from "./plan/mount-spec.ts";
import { requireSupportedRoot } from "./prepare.ts";
import type { Prepared } from "./prepared.ts";
import type { InstallTarget } from "./request.ts";
import { labelMachine } from "./selinux.ts";

/** Installs to a mounted root file system, which does not boot before this is done. */
export async function installTo(
  ctx: Context,
  prepared: Prepared,
  target: InstallTarget,
): Promise<void> {
  await withLabelRights(ctx, () => fillRoot(ctx, prepared, target));
}

async function fillRoot(ctx: Context, prepared: Prepared, target: InstallTarget): Promise<void> {
  await initSysroot(ctx, target.root);
  const repo = join(target.root, "ostree/repo");
  const pulled = await pullForTarget(ctx, prepared, repo);
  const image = { repo, commit: pulled.commit };
  const facts = await readImageFacts(ctx, { ...image, prepared });
  await requireInstallable(ctx, { prepared, target, facts });
  const mode = prepared.options.boundImages;
  const bound = await requireBoundImages(ctx, { ...image, mode });
  // Not earlier: until here, the installation may be refused, and the old system must still boot.
  await target.emptyBoot?.();
  await configureRepo(ctx, target.root, repoSettings(prepared));
  await ensureStateroot(ctx, target.root, prepared.stateroot);
  if (facts.bootloader.kind === "plain-grub") await prepareGrubMenu(ctx, target.root);
  const deployment = await doing("deploying the image", async () => {
    ctx.note("Deploying container image");
    await deployFirst(ctx, target.root, {
      stateroot: prepared.stateroot,
      commit: pulled.commit,
      origin: `[origin]\ncontainer-image-reference=${formatOstreeReference(prepared.target)}\n`,
      kargs: decideInstallKargs(prepared, target, facts),
    });
    return await findDeployed(target.root, { ...pulled, ...prepared });
  });
  const written = await writeOwnFiles(ctx, { prepared, target, deployment, pulled, facts });
  // Before the boot loader, so that a machine that starts has all the images it needs.
  await storeBoundImages(ctx, bound, { sysroot: target.root, mode });
  if (prepared.options.experimentalUnifiedStorage === true) {
    const { source, target: followed } = prepared;
    const images = { source: source.image, target: followed.image };
    await storeInstalledImage(ctx, images, target.root);
  }
  const { bootloader: setup, secureBootKeys } = facts;
  await installBootloader(ctx, { setup, prepared, target, deployment, secureBootKeys });
  if (facts.hasSelinuxPolicy && !prepared.options.disableSelinux) {
    await labelMachine(ctx, { root: target.root, deployment, written });
  }
  await warnOfPartitionTable(ctx, target.disk);
}

/** The newest deployment of a commit; an earlier installation may have made others. */
async function findDeployed(
  root: string,
  { stateroot, commit }: Pick<Prepared, "stateroot"> & Pick<PulledImage, "commit">,
): Promise<string> {
  const [newest] = (await listDeploymentsOnDisk(root))
    .filter((it) => it.stateroot === stateroot && it.commit === commit)
    .sort((a, b) => b.serial - a.serial);
  if (newest === undefined) throw new BootcError("ostree made no deployment");
  return newest.dir;
}

function repoSettings({ config }: Prepared): Readonly<Record<string, string>> {
  const bls = config?.["bls-append-except-default"];
  return {
    "sysroot.bootloader": "none",
    "sysroot.bootprefix": "true",
    "sysroot.readonly": "true",
    ...(bls === undefined ? {} : { "sysroot.bls-append-except-default": bls }),
  };
}

/** Pulls the source under the name of the image to follow, so that updates find its layers. */
async function pullForTarget(ctx: Context, prepared: Prepared, repo: string): Promise<PulledImage> {
  const reference = { verification: { kind: "none" }, image: prepared.source.image } as const;
  const display = showProgress(ctx, { isQuiet: false });
  const { onEvent } = display;
  const pulled = await planPull(ctx, { repo, reference, requiresBootable: true })
    .then((plan) => pullImage(ctx, plan, { onEvent }))
    .finally(display.end);
  const own = imageRef(formatImageReference(prepared.source.image));
  const wanted = imageRef(formatImageReference(prepared.target.image));
  if (own === wanted) return pulled;
  await createRef(ctx, repo, { ref: wanted, commit: pulled.commit });
  await deleteRefs(ctx, repo, [own]);
  return pulled;
}

interface ImageFacts {
  /** Undefined if the image has no prepare-root.conf. */
  readonly prepareRoot: PrepareRoot | undefined;
  readonly hasSelinuxPolicy: boolean;
  readonly kargs: readonly string[];
  readonly bootloader: BootloaderSetup;
  /** Those that systemd-boot may enrol. */
  readonly secureBootKeys: readonly string[];
}

interface ImageInRepo {
  readonly repo: string;
  readonly commit: string;
  readonly prepared: Prepared;
}

interface Installable {
  readonly prepared: Prepared;
  readonly target: InstallTarget;
  readonly facts: ImageFacts;
}

async function readImageFacts(
  ctx: Context,
  { repo, commit, prepared }: ImageInRepo,
): Promise<ImageFacts> {
  const tree = await openCommit(repo, commit);
  const has = async (path: string) => (await tree.find(path)) !== undefined;
  const files = await readKargsFiles(tree);
  const bootloader = await decideBootloader(ctx, prepared, has);
  return {
    prepareRoot: await readPrepareRoot(tree),
    hasSelinuxPolicy: await has("/usr/etc/selinux/config"),
    kargs: collectKargs(files, process.arch),
    bootloader,
    secureBootKeys: bootloader.kind === "systemd-boot" ? await readSecureBootKeys(tree) : [],
  };
}

async function requireInstallable(
  ctx: Context,
  { prepared, target, facts }: Installable,
): Promise<void> {
  requireSupportedRoot(facts.prepareRoot);
  await requirePlace(ctx, facts.bootloader, { prepared, target });
  if (facts.hasSelinuxPolicy && prepared.options.disableSelinux) {
    ctx.note("notice: Target has SELinux enabled, overriding to disable");
  }
}

function decideInstallKargs(
  { options, config }: Prepared,
  target: InstallTarget,
  facts: ImageFacts,
): readonly string[] {
  const isOff = options.disableSelinux && facts.hasSelinuxPolicy;
  return orderKargs({
    root: [...target.kargs, ...(isOff ? ["selinux=0"] : [])],
    config: config?.kargs ?? [],
    image: facts.kargs,
    deletes: [...(config?.["karg-deletes"] ?? []), ...(options.kargDelete ?? [])],
    user: options.karg ?? [],
  });
}

const FSTAB = "etc/fstab";
const SSH_KEYS = "etc/tmpfiles.d/bootc-root-ssh.conf";

interface Installed extends Installable {
  readonly deployment: string;
  readonly pulled: PulledImage;
}

/** Returns the paths written into the deployment, relative to its top. */
async function writeOwnFiles(ctx: Context, installed: Installed): Promise<readonly string[]> {
  const { prepared, target, deployment } = installed;
  const written: string[] = [];
  if (target.boot !== undefined) {
    const path = join(deployment, FSTAB);
    await replaceFile(path, withFstabMount((await readFileIfAny(path)) ?? "", target.boot));
    written.push(FSTAB);
  }
  if (prepared.sshKeys !== undefined) {
    await writeKeys(ctx, installed, prepared.sshKeys);
    written.push(SSH_KEYS);
  }
  await replaceFile(join(target.root, ".bootc-aleph.json"), await describeAleph(ctx, installed));
  if (target.wantsCleanup) {
    await makeDirectories(join(target.root, "etc"));
    await writeFile(join(target.root, "etc/bootc-destructive-cleanup"), "");
  }
  return written;
}

async function writeKeys(ctx: Context, { deployment }: Installed, keys: string): Promise<void> {
  const path = SSH_KEYS;
  const home = join("/", (await readLinkIfAny(join(deployment, "root"))) ?? "root");
  const content = Buffer.from(keys).toString("base64");
  await makeDirectories(dirname(join(deployment, path)));
  const line = `f~ ${home}/.ssh/authorized_keys 600 root root - ${content}\n`;
  await replaceFile(join(deployment, path), line);
  ctx.note(`Injected: ${path}`);
}

async function describeAleph(ctx: Context, { prepared, pulled, facts }: Installed) {
  const { image } = prepared.source;
  return formatAleph({
    image: image.name.startsWith("/tmp/") ? undefined : formatImageReference(image),
    digest: pulled.manifestDigest,
    targetImage: formatImageReference(prepared.target.image),
    labels: labelsOf(pulled.config),
    version: versionOf(pulled.config),
    kernel: release(),
    selinux: await decideSelinux(ctx, prepared, facts),
  });
}

async function decideSelinux(ctx: Context, { options }: Prepared, facts: ImageFacts) {
  if (!facts.hasSelinuxPolicy) return "disabled";
  if (options.disableSelinux) return "force-target-disabled";
  return (await isSelinuxOn(ctx)) ? "enabled" : "host-disabled";
}
