// `system-reinstall-bootc`: replace the running system by an image, asking a person on the way.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { followUp } from "../deploy/after-change.ts";
import { BootcError, doing } from "../errors.ts";
import { printable } from "../printable.ts";
import { readPodmanOutput, runPodman } from "../programs/podman.ts";
import { reboot } from "../programs/systemd.ts";
import { describeLeftMounts } from "../reinstall/left-mounts.ts";
import { aborted, ensurePodman, pullIfMissing } from "../reinstall/podman.ts";
import { formatInstallArgs } from "../reinstall/podman-command.ts";
import { askSome, askYesNo, openPrompt, type Prompt } from "../reinstall/prompt.ts";
import { readReinstallRequest } from "../reinstall/request.ts";
import { readUserKeys, type UserKeys } from "../reinstall/ssh-keys.ts";
import type { Context } from "../system/context.ts";
import { readPrivileges } from "../system/privileges.ts";
import { formatCommand } from "../system/quote.ts";

export interface SystemReinstallOptions {
  readonly composefsBackend?: boolean;
}

export async function systemReinstall(
  ctx: Context,
  image: string | undefined,
  options: SystemReinstallOptions,
  prompt: Prompt = openPrompt(ctx),
): Promise<void> {
  try {
    await reinstall(ctx, image, options, prompt);
  } finally {
    prompt.close();
  }
}

async function reinstall(
  ctx: Context,
  typed: string | undefined,
  options: SystemReinstallOptions,
  prompt: Prompt,
): Promise<void> {
  const usesComposefs = options.composefsBackend === true;
  const request = await readReinstallRequest(ctx, { image: typed, usesComposefs });
  await requireRootUser(ctx);
  await ensurePodman(ctx, prompt);
  await pullIfMissing(ctx, request.image);
  ctx.say("");
  const help = ["run", "--rm", request.image, "bootc", "install", "to-existing-root", "--help"];
  const hasCleanup = (await readPodmanOutput(ctx, help)).includes("--cleanup");
  const keys = await chooseKeys(prompt, await readUserKeys(ctx));
  await warnOfMounts(ctx, prompt);
  await withKeyFile(keys, async (keyFile) => {
    const args = formatInstallArgs(ctx.env, { ...request, keyFile, hasCleanup });
    ctx.say(`\nGoing to run command:\n\n${formatCommand("podman", args)}\n`);
    ctx.say(AFTERWARDS);
    if (!(await askYesNo(prompt, CONFIRMATION, { isDefaultYes: false }))) throw aborted();
    ctx.say("Starting bootc installation. This may take several minutes...\n");
    await doing("installing the image", () => runPodman(ctx, args));
  });
  await followUp(INSTALLED, async () => {
    if (await isRebootWanted(ctx, prompt)) await reboot(ctx);
    else ctx.say("Installed; the next boot starts it");
  });
}

/** False after Ctrl-C, which the question offers. */
async function isRebootWanted(ctx: Context, prompt: Prompt): Promise<boolean> {
  try {
    await prompt.waitForLine(REBOOTING, 10_000);
    return true;
  } catch (error) {
    if (ctx.signal.aborted) return false;
    throw error;
  }
}

const INSTALLED = {
  outcome: "the image is installed",
  hint: "the next boot starts it; a second run would install it once more",
};

const AFTERWARDS =
  "After reboot, the current root will be available in the /sysroot directory. Existing mounts will not " +
  "be automatically mounted by the bootc system unless they are defined in the bootc image. Some automatic " +
  "cleanup of the previous root will be performed.\n";

const CONFIRMATION =
  "NOTICE: This will replace the installed operating system and reboot. Are you sure you want to continue?";

const REBOOTING =
  "Operation complete, rebooting in 10 seconds. Press Ctrl-C to cancel reboot, or press enter to continue " +
  "immediately.";

async function requireRootUser(ctx: Context): Promise<void> {
  if ((await readPrivileges(ctx)).isRoot) return;
  throw new BootcError("Must run as the root user", {
    kind: "unsupported",
    hint: "run it with sudo",
  });
}

/** The keys of the people who were chosen, for root of the new system. */
async function chooseKeys(prompt: Prompt, users: readonly UserKeys[]): Promise<readonly string[]> {
  const [only, ...others] = users;
  if (only === undefined) {
    if (await askYesNo(prompt, WITHOUT_KEYS, { isDefaultYes: false })) return [];
    throw aborted();
  }
  if (others.length === 0) {
    const question =
      `Found only one user ${printable(only.user)} with ${only.keys.length} SSH authorized keys.\n` +
      "Would you like to import its SSH authorized keys\ninto the root user on the new bootc system?\n" +
      "Then you can login as root@ using those keys.";
    return (await askYesNo(prompt, question, { isDefaultYes: true })) ? only.keys : [];
  }
  const chosen = await askSome(
    prompt,
    "Select which user's SSH authorized keys you want to import into the root user of the new bootc system",
    users.map((it) => [`${printable(it.user)} (${it.keys.length} authorized keys)`, it] as const),
  );
  return [...new Set(chosen.flatMap((it) => it.keys))];
}

const WITHOUT_KEYS =
  "None of the users on this system have authorized SSH keys. If your image doesn't use cloud-init or " +
  "other means to set up users, you may not be able to log in after reinstalling. Do you want to continue?";

async function warnOfMounts(ctx: Context, prompt: Prompt): Promise<void> {
  const mounts = await describeLeftMounts(ctx);
  if (mounts.length === 0) return;
  ctx.say(
    "\nNOTICE: the following mounts are left unchanged by this tool and will not be automatically mounted " +
      "unless specified in the bootc image. Consult the bootc documentation to determine the appropriate " +
      "action for your system.\n",
  );
  for (const it of mounts) ctx.say(printable(it));
  await prompt.ask("\nPress <enter> to continue.");
}

async function withKeyFile(
  keys: readonly string[],
  work: (path: string | undefined) => Promise<void>,
): Promise<void> {
  if (keys.length === 0) return await work(undefined);
  const dir = await mkdtemp(join(tmpdir(), "bootc-reinstall-"));
  try {
    const path = join(dir, "authorized_keys");
    await writeFile(path, `${keys.join("\n")}\n`, { mode: 0o600 });
    await work(path);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
