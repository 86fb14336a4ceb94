// Asks the machine whether a step of an update suits it now.

import { readFile, statfs } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { explainError } from "../../errors.ts";
import { askGateProgram, readGatePrograms } from "../../programs/gate.ts";
import { readInhibitors, readMetered, readSessions } from "../../programs/logind.ts";
import type { Context } from "../../system/context.ts";
import { readFileIfAny, readNamesIfAny } from "../../system/files.ts";
import { failureOf } from "../../system/run.ts";
import type { Settings } from "../config/settings.ts";
import {
  type GateAnswer,
  type GateName,
  gatesOf,
  judgeBattery,
  judgeFreeSpace,
  judgeInhibitors,
  judgeLoad,
  judgeMains,
  judgeMetered,
  judgePressure,
  judgeSessions,
  type PowerSupply,
} from "../gates.ts";
import type { Block, UpdateStep } from "../state.ts";

export interface GateQuestion {
  readonly settings: Settings;
  readonly step: UpdateStep;
  readonly nowMs: number;
  /** When people were warned of this reboot. */
  readonly warnedMs: number | undefined;
  /** Gates to leave out: programs of the administrator are not for everybody who looks. */
  readonly without?: readonly GateName[];
}

/** The first gate that is closed for the step. A gate that cannot be asked is closed. */
export async function readClosedGate(ctx: Context, question: GateQuestion) {
  const { settings, step, without = [] } = question;
  for (const gate of gatesOf(settings, step)) {
    if (without.includes(gate)) continue;
    const answer = await askGate(ctx, gate, question).catch((error: unknown): GateAnswer => {
      return { reason: `it cannot be asked: ${explainError(error)}` };
    });
    if (answer !== undefined) return { step, rule: gate, ...answer } satisfies Block;
  }
  return undefined;
}

async function askGate(
  ctx: Context,
  gate: GateName,
  { settings, step, nowMs, warnedMs }: GateQuestion,
): Promise<GateAnswer | undefined> {
  switch (gate) {
    case "sessions": {
      const graceMs = settings["gates.sessions_grace_minutes"] * 60_000;
      const sessions = await ifProgram(readSessions(ctx), []);
      return judgeSessions(sessions, { nowMs, graceMs, warnedMs });
    }
    case "inhibitors":
      return judgeInhibitors(await ifProgram(readInhibitors(ctx), []));
    case "metered":
      return judgeMetered(await readMetered(ctx));
    case "battery":
      return judgeBattery(await readPower(ctx), settings["gates.battery_min_percent"]);
    case "mains":
      return judgeMains(await readPower(ctx));
    case "load":
      return judgeLoad(await readFile(join(ctx.root, "proc/loadavg"), "utf8"), {
        processors: availableParallelism(),
        most: settings["gates.load_max_per_processor"],
      });
    case "pressure":
      return await askPressure(ctx, settings["gates.pressure_max_percent"]);
    case "free_space":
      return judgeFreeSpace(await readFreeMib(ctx), settings["gates.free_space_min_mib"]);
    case "programs":
      return await askPrograms(ctx, {
        step,
        timeoutMs: settings["gates.programs_timeout_seconds"] * 1000,
      });
  }
}

/** The answer of a program that a small machine may lack. */
async function ifProgram<T>(asking: Promise<T>, otherwise: T): Promise<T> {
  return await asking.catch((error: unknown) => {
    const failure = failureOf(error);
    if (failure !== undefined && failure.exitCode === undefined && !failure.isTimeout) {
      return otherwise;
    }
    throw error;
  });
}

async function askPressure(ctx: Context, mostPercent: number): Promise<GateAnswer | undefined> {
  for (const resource of ["cpu", "memory", "io"]) {
    const text = await readFileIfAny(join(ctx.root, "proc/pressure", resource));
    const answer = judgePressure(text ?? "", { resource, mostPercent });
    if (answer !== undefined) return answer;
  }
  return undefined;
}

async function askPrograms(
  ctx: Context,
  how: { readonly step: UpdateStep; readonly timeoutMs: number },
): Promise<GateAnswer | undefined> {
  for (const path of await readGatePrograms(ctx)) {
    const reason = await askGateProgram(ctx, path, how);
    if (reason !== undefined) return { reason };
  }
  return undefined;
}

async function readFreeMib(ctx: Context): Promise<number> {
  const { bavail, bsize } = await statfs(join(ctx.root, "sysroot"));
  return (bavail * bsize) / 2 ** 20;
}

/** The adapters and batteries that the kernel knows. */
async function readPower(ctx: Context): Promise<readonly PowerSupply[]> {
  const dir = join(ctx.root, "sys/class/power_supply");
  const names = await readNamesIfAny(dir);
  return await Promise.all(
    names.map(async (name) => {
      const [type, online, capacity, scope] = await Promise.all(
        ["type", "online", "capacity", "scope"].map((it) => readFileIfAny(join(dir, name, it))),
      );
      return {
        type: type?.trim() ?? "",
        isOnline: online === undefined ? undefined : online.trim() !== "0",
        percent: capacity === undefined ? undefined : Number(capacity),
        isOfDevice: scope?.trim() === "Device",
      };
    }),
  );
}
