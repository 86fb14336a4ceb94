// What tests of the verbs share: a host with something staged, and a verb played against a script.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { BootcError, describeError } from "../errors.ts";
import { nameDeployment } from "../host/deployment.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";
import { layOutMachine, type Machine } from "./machine-fixture.ts";
import { type ScriptLine, scriptedContext } from "./scripted-context.ts";

export const LOCK: ScriptLine = ["+ flock --exclusive --nonblock --conflict-exit-code 75 3"];

export async function machineOf(ostree: "2022.7" | "2025.2"): Promise<Machine> {
  const file = `../sysroot/fixtures/ostree-${ostree}-staged.json`;
  return await layOutMachine(new URL(file, import.meta.url));
}

/** Runs a verb against a script, to its transcript; its error, if any, comes last. */
export async function play(
  { root }: Machine,
  script: readonly ScriptLine[],
  verb: (ctx: Context) => Promise<void>,
): Promise<string> {
  const { ctx, transcript, requireAllUsed } = scriptedContext(root, script);
  const error = await verb(ctx).then(
    () => "",
    (it: Error) => `error: ${it.message}\n`,
  );
  requireAllUsed();
  return transcript() + error;
}

/** The deployments of a machine, each as the line that `ostree admin status` has for it. */
export async function listDeployments({ root }: Machine): Promise<readonly string[]> {
  const { deployments } = await readSysroot(scriptedContext(root, []).ctx);
  return deployments.map((it) => `  ${it.stateroot} ${nameDeployment(it)}\n`);
}

/** The hint of the error that a verb fails with when it is played. */
export async function playToHint(
  machine: Machine,
  script: readonly ScriptLine[],
  verb: (ctx: Context) => Promise<void>,
): Promise<string | null> {
  let hint: string | null = null;
  await play(machine, script, async (ctx) => {
    await verb(ctx).catch((error: unknown) => {
      hint = describeError(error).hint;
    });
  });
  return hint;
}

/** An interruption as by Ctrl-C, with the advice that it has in main.ts. */
export interface Interrupt {
  /** The context of the verb that is interrupted. */
  readonly of: (ctx: Context) => Context;
  /** Interrupts the verb, and fails as the program does that was running. */
  readonly now: () => never;
}

export const RUN_AGAIN = "run it again to carry on";

/**
 * What a verb starts nevertheless, once it is interrupted, is not scripted: there are these `programs` then,
 * which are shell scripts by name, and no others.
 */
export async function makeInterrupt(
  { root }: Machine,
  programs: Readonly<Record<string, string>>,
): Promise<Interrupt> {
  const bin = join(root, "bin");
  await mkdir(bin, { recursive: true });
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
  const abort = new AbortController();
  const { signal } = abort;
  return {
    of: (ctx) => ({
      ...ctx,
      env: { PATH: bin },
      signal,
      read: async (...command) => {
        signal.throwIfAborted();
        return await ctx.read(...command);
      },
      run: async (...command) => {
        signal.throwIfAborted();
        await ctx.run(...command);
      },
    }),
    now() {
      abort.abort(new BootcError("interrupted", { hint: RUN_AGAIN }));
      throw signal.reason;
    },
  };
}

/** Expects that a verb which changes the host starts nothing in a container, without root, or elsewhere. */
export async function expectRefused(verb: (ctx: Context) => Promise<void>): Promise<void> {
  const container = await machineOf("2025.2");
  await writeFile(join(container.root, "run/.containerenv"), "");
  expect(await play(container, [], verb)).toContain(
    "error: Detected container; this command requires a booted host system.\n",
  );
  const user = await machineOf("2025.2");
  await writeFile(join(user.root, "proc/self/status"), "Uid:\t0\t1000\t0\t0\nCapBnd:\t00\n");
  expect(await play(user, [], verb)).toContain("must be executed as the root user");
  await writeFile(
    join(user.root, "proc/self/status"),
    "Uid:\t0\t0\t0\t0\nCapBnd:\t00000000a80425fb\n",
  );
  expect(await play(user, [], verb)).toContain("requires full root privileges (CAP_SYS_ADMIN)");
  const other = await machineOf("2025.2");
  await rm(join(other.root, "run/ostree-booted"));
  expect(await play(other, [], verb)).toContain("error: System not booted via bootc\n");
}
