// `bootc loader-entries set-options-for-source`: kernel arguments that one program owns and may change.
import { type JsonFlags, type LockFlags, lockTimeoutOf } from "../../cli/options.ts";
import { tellOfStaged } from "../../deploy/after-change.ts";
import { completeDeploy, requireBooted } from "../../deploy/deploy-image.ts";
import { answerInJson, quietFor } from "../../deploy/json-answer.ts";
import { prepareForWrite, withHostLock } from "../../deploy/prepare-write.ts";
import { stage } from "../../deploy/staging.ts";
import { whileMarked } from "../../deploy/staging-mark.ts";
import { BootcError } from "../../errors.ts";
import { assembleHost, assignSlots } from "../../host/assemble-host.ts";
import {
  changeSource,
  type OwnedKargs,
  parseEntryKeys,
  parseSourceRequest,
  type SourceRequest,
} from "../../host/boot/option-sources.ts";
import { type Deployment, nameDeployment } from "../../host/deployment.ts";
import { formatKargs, parseKargs } from "../../host/kargs.ts";
import { inheritOrigin } from "../../ostree/origin.ts";
import { isAtLeast, readOstree } from "../../programs/ostree/version.ts";
import { readEntryTextOf } from "../../sysroot/boot-entries.ts";
import { deploymentDir } from "../../sysroot/paths.ts";
import { readStagedEntryKeys } from "../../sysroot/staged.ts";
import { readSysroot } from "../../sysroot/sysroot.ts";
import type { Context } from "../../system/context.ts";
import { readFileIfAny } from "../../system/files.ts";

export interface SetOptionsForSourceOptions extends LockFlags, JsonFlags {
  readonly source: string;
  /** The arguments; absent when the source gives up all of its own. */
  readonly options?: string;
}

/** The first version that keeps extension keys of boot entries across updates. */
const OSTREE = "2026.1";

export async function setOptionsForSource(
  ctx: Context,
  options: SetOptionsForSourceOptions,
): Promise<void> {
  const request = parseSourceRequest(options.source, options.options);
  await prepareForWrite(ctx);
  await requireExtensionKeys(ctx);
  const quiet = quietFor(ctx, options);
  const lock = { purpose: "changing kernel arguments", timeoutMs: lockTimeoutOf(options) };
  await withHostLock(quiet, lock, () => setOptionsLocked(quiet, request, lock.timeoutMs));
  await answerInJson(ctx, options);
}

async function requireExtensionKeys(ctx: Context): Promise<void> {
  const { version } = await readOstree(ctx);
  if (isAtLeast(version, OSTREE)) return;
  throw new BootcError(
    `loader-entries requires ostree >= ${OSTREE}, and this host has ${version}`,
    { kind: "unsupported", hint: "set the arguments with files in /usr/lib/bootc/kargs.d instead" },
  );
}

async function setOptionsLocked(
  ctx: Context,
  request: SourceRequest,
  lockTimeoutMs: number | undefined,
): Promise<void> {
  const sysroot = await readSysroot(ctx);
  const booted = requireBooted(sysroot);
  const { staged } = assignSlots(sysroot.deployments);
  const owned = await readOwned(ctx, booted, staged);
  const changed = changeSource(owned, request);
  if (changed === undefined) {
    ctx.say(`No changes in the kernel arguments of ${request.source}`);
    // A run that was interrupted or killed may have staged just this, and done nothing else.
    if (staged !== undefined) {
      await completeDeploy(ctx, assembleHost(sysroot).status.staged, lockTimeoutMs);
    }
    return;
  }
  requireSameStateroot(booted, staged);
  await stageAgain(ctx, staged ?? booted, changed);
  ctx.say(`Kernel arguments for next boot: ${formatKargs(changed.kargs)}`);
}

/**
 * ostree would take the `/etc` of the deployment that is replaced for that of its replacement, and then fail
 * when the machine shuts down.
 */
function requireSameStateroot(booted: Deployment, staged: Deployment | undefined): void {
  if (staged === undefined || staged.stateroot === booted.stateroot) return;
  throw new BootcError(
    `what is staged for the new stateroot \`${staged.stateroot}\` cannot be staged again`,
    {
      kind: "unsupported",
      hint: "reboot first; `bootc install reset --karg` sets arguments of the new system",
    },
  );
}

/** The arguments of what boots next, and their owners. */
async function readOwned(
  ctx: Context,
  booted: Deployment,
  staged: Deployment | undefined,
): Promise<OwnedKargs> {
  const entry = await readEntryTextOf(ctx, nameDeployment(booted));
  if (entry === undefined || booted.bootOptions === undefined) {
    throw new BootcError("the booted deployment does not have a boot loader entry", {
      kind: "integrity",
      hint: "check that /boot is mounted and has the booted deployment's entry in loader/entries",
    });
  }
  // A deployment that was staged without arguments of its own gets those of the booted one.
  const line = staged?.bootOptions ?? booted.bootOptions;
  const kargs = parseKargs(line).filter((it) => !it.startsWith("ostree="));
  return { kargs, keys: new Map([...parseEntryKeys(entry), ...(await readStagedEntryKeys(ctx))]) };
}

/** Stages the content of `base` with other arguments. Whether a shutdown applies it stays as it was. */
async function stageAgain(ctx: Context, base: Deployment, owned: OwnedKargs): Promise<void> {
  const origin = (await readFileIfAny(`${deploymentDir(ctx, base)}.origin`)) ?? "";
  const digest = base.content?.digest;
  await whileMarked(ctx, digest, async () => {
    await stage(ctx, {
      stateroot: base.stateroot,
      commit: base.checksum,
      origin: inheritOrigin(origin),
      kargs: owned.kargs,
      entryKeys: owned.keys,
      isLocked: base.isLocked,
    });
    return await tellOfStaged(ctx, { digest, isLocked: base.isLocked });
  });
}
