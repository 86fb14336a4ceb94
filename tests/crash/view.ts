// What a boot loader and verbs see on a disk in a state. States that differ only in what nobody reads have the same view:
// each of its parts is looked up by what is in the sectors that finding it read, and only found anew if that differs.
import { hash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { sh } from "../vm/shell.ts";
import { type BlockTrace, startTrace, type Traced } from "./block-trace.ts";
import { attach, type Layout } from "./file-systems.ts";
import { grubReader } from "./grub.ts";
import type { StateFacts } from "./judge.ts";
import { createMemo, type ReadMemo } from "./memo.ts";
import type { Contents } from "./sectors.ts";
import type { Settling } from "./settle.ts";
import { type ShellSession, startSession } from "./shell-session.ts";
import type { StateDisk, Window } from "./state-disk.ts";
import type { State } from "./states.ts";
import { readLoaderEntries } from "./system-facts.ts";
import { UNMOUNTABLE, viewScript } from "./view-script.ts";

export interface View {
  /** What a boot loader finds before the file systems are mounted. */
  readonly loader: StateFacts["loader"];
  /** Of all that is there afterwards. */
  readonly digest: string;
  /** It could be mounted only after a repair that a person has to ask for. */
  readonly isRepaired: boolean;
  /** What the file systems' own checks complain about after that, which no program above them can cause. */
  readonly complaints: readonly string[];
  /** All of it is known from other disks: this one was not even made. */
  readonly isRemembered: boolean;
}

/** What mounting left, after a repair if need be. */
interface Recovered {
  readonly isRepaired: boolean;
  readonly isMountable: boolean;
  /** The new contents of sectors. */
  readonly writes: ReadonlyMap<number, number>;
}

type Seen = Omit<View, "loader" | "isRemembered">;

/** What has been found so far, by all workers. */
export interface Memos {
  readonly loader: ReadMemo<StateFacts["loader"]>;
  readonly recovered: ReadMemo<Recovered>;
  readonly seen: ReadMemo<Seen>;
}

export const createMemos = (): Memos => ({
  loader: createMemo(),
  recovered: createMemo(),
  seen: createMemo(),
});

export interface Viewer {
  readonly disk: StateDisk;
  view(state: State): Promise<View>;
  /**
   * Looks again, at a disk that is made from the beginning and with nothing remembered, and says what differs from an
   * earlier view. Undefined where states are always looked at like that.
   */
  readonly compare: ((state: State, view: View) => Promise<readonly string[]>) | undefined;
  end(): Promise<void>;
}

interface ViewerOptions {
  readonly disk: StateDisk;
  readonly layout: Layout;
  readonly work: string;
  readonly memos: Memos;
  readonly settling: Settling;
  /** Where the kernel's tracing is, without which each state is looked at directly. */
  readonly tracing: string | undefined;
}

interface Tools extends ViewerOptions {
  readonly devices: readonly Window[];
  readonly session: ShellSession;
  readonly readLoader: () => Promise<StateFacts["loader"]>;
}

export async function openViewer(options: ViewerOptions): Promise<Viewer> {
  const { disk, layout, work, tracing } = options;
  const dir = join(work, "view");
  await mkdir(dir, { recursive: true });
  const root = await attach(disk.path, layout.root);
  const boot = layout.boot && (await attach(disk.path, layout.boot));
  const session = startSession(viewScript(layout, { root, boot }, dir));
  const devices = [
    { ...layout.root, device: root },
    ...(boot === undefined || layout.boot === undefined ? [] : [{ ...layout.boot, device: boot }]),
  ];
  const trace = tracing === undefined ? undefined : await startTrace(tracing, devices);
  const prefix = boot === undefined ? "/boot" : "";
  const readLoader = () =>
    readLoaderEntries(grubReader(boot ?? root), prefix).catch((error: Error) => error.message);
  const tools = { ...options, devices, session, readLoader };
  const viewDirectly = (state: State) => lookDirectly(tools, trace, state);
  return {
    disk,
    view: async (state) =>
      (trace && (await lookByParts(tools, trace, state))) ?? (await viewDirectly(state)),
    compare:
      trace &&
      (async (state, view) => {
        const wrong = await findWrongSectors(tools, state);
        return [...wrong, ...compareViews(view, await viewDirectly(state))];
      }),
    async end() {
      await must(session, "ahead 128");
      await session.end();
      await trace?.end();
      for (const { device } of devices) await sh("losetup", ["--detach", device]);
      disk.close();
    },
  };
}

async function must(session: ShellSession, command: string): Promise<void> {
  const { status, lines } = await session.run(command);
  if (status === 0) return;
  throw new Error(`\`${command}\` ended with ${status}: ${lines.join("; ")}`);
}

async function load({ disk, session }: Tools, trace: BlockTrace | undefined, state: State) {
  await disk.load(state);
  await must(session, "fresh");
  trace?.take();
}

/**
 * Of the disk that went from state to state, which the next one is made without. The kernel reads it, so what it has kept
 * from an earlier state would be found, too.
 */
async function findWrongSectors(tools: Tools, state: State): Promise<readonly string[]> {
  const { disk, devices, session } = tools;
  await load(tools, undefined, state);
  await must(session, "ahead 1024");
  const wrong = disk.findWrong(state, devices);
  await must(session, "ahead 0");
  disk.changed(undefined);
  if (wrong.length === 0) return [];
  return [
    `the disk is not in this state: ${wrong.length} sectors differ, the first is ${wrong[0]}`,
  ];
}

async function lookDirectly(
  tools: Tools,
  trace: BlockTrace | undefined,
  state: State,
): Promise<View> {
  await load(tools, trace, state);
  const loader = await tools.readLoader();
  const seen = parseSeen(await tools.session.run("look"));
  tools.disk.changed(trace?.take()?.written);
  return { loader, ...seen, isRemembered: false };
}

function parseSeen({ status, lines }: Awaited<ReturnType<ShellSession["run"]>>): Seen {
  if (status !== 0 && status !== UNMOUNTABLE) {
    throw new Error(`the disk cannot be looked at: ${lines.join("; ")}`);
  }
  const isCheck = (it: string) => it.startsWith("check ");
  const root = lines.find((it) => it.startsWith("root "))?.split(" ")[1];
  return {
    isRepaired: lines.includes("repaired"),
    // What cannot be mounted even after a repair, the judge reports.
    digest: status === UNMOUNTABLE ? "unmountable" : (root ?? "nothing"),
    complaints: lines.filter(isCheck).map((it) => it.slice(0, 500)),
  };
}

class TraceLost extends Error {}

function took(trace: BlockTrace): Traced {
  const traced = trace.take();
  if (traced === undefined) throw new TraceLost();
  return traced;
}

/** Undefined if the trace has a gap. */
async function lookByParts(
  tools: Tools,
  trace: BlockTrace,
  state: State,
): Promise<View | undefined> {
  try {
    return await new Parts(tools, trace, state).look();
  } catch (error) {
    if (!(error instanceof TraceLost)) throw error;
    tools.disk.changed(undefined);
    return undefined;
  }
}

/** The disk is made when the first part has to be found. */
class Parts {
  readonly #tools: Tools;
  readonly #trace: BlockTrace;
  readonly #state: State;
  #isLoaded = false;
  #isRecovered = false;

  constructor(tools: Tools, trace: BlockTrace, state: State) {
    this.#tools = tools;
    this.#trace = trace;
    this.#state = state;
  }

  async look(): Promise<View> {
    const { disk, memos, settling } = this.#tools;
    const contents = disk.contentsOf(this.#state);
    const loader = memos.loader.find(contents) ?? (await this.#readLoader(contents));
    const recovered = memos.recovered.find(contents) ?? (await this.#recover(contents));
    const { isRepaired } = recovered;
    if (!recovered.isMountable) {
      const seen = { digest: "unmountable", isRepaired, complaints: [] };
      return { loader, ...seen, isRemembered: !this.#isLoaded };
    }
    settling.forget(contents);
    for (const [sector, number] of recovered.writes) contents[sector] = number;
    const seen = memos.seen.find(contents) ?? (await this.#see(contents));
    return {
      ...{ loader, ...seen, isRepaired: isRepaired || seen.isRepaired },
      isRemembered: !this.#isLoaded,
    };
  }

  async #load(): Promise<void> {
    if (!this.#isLoaded) await load(this.#tools, this.#trace, this.#state);
    this.#isLoaded = true;
  }

  async #readLoader(contents: Contents): Promise<StateFacts["loader"]> {
    await this.#load();
    const loader = await this.#tools.readLoader();
    this.#tools.memos.loader.add(contents, took(this.#trace).read, loader);
    return loader;
  }

  async #recover(contents: Contents): Promise<Recovered> {
    const { disk, memos, settling, session } = this.#tools;
    await this.#load();
    const { status, lines } = await session.run("recover");
    if (status !== 0 && status !== UNMOUNTABLE) {
      throw new Error(`the disk cannot be recovered: ${lines.join("; ")}`);
    }
    const { read, written } = took(this.#trace);
    disk.changed(written);
    this.#isRecovered = true;
    const recovered = {
      isRepaired: lines.includes("repaired"),
      isMountable: status === 0,
      writes: settling.settle(written, disk),
    };
    memos.recovered.add(contents, [...read, ...settling.sectors], recovered);
    return recovered;
  }

  async #see(settled: Contents): Promise<Seen> {
    const { disk, memos, session } = this.#tools;
    if (!this.#isRecovered) {
      await this.#load();
      const { status, lines } = await session.run("recover");
      if (status !== 0) throw new Error(`what was mounted cannot be: ${lines.join("; ")}`);
      disk.changed(took(this.#trace).written);
    }
    const seen = parseSeen(await session.run("look"));
    const { read, written } = took(this.#trace);
    disk.changed(written);
    memos.seen.add(settled, read, seen);
    return seen;
  }
}

export function digestOfLoader(loader: StateFacts["loader"]): string {
  return hash("sha1", JSON.stringify(loader)).slice(0, 16);
}

/** How two views of one state differ; what a check says may name other numbers. */
export function compareViews(a: View, b: View): readonly string[] {
  const facts = (it: View) => ({
    loader: digestOfLoader(it.loader),
    digest: it.digest,
    isRepaired: it.isRepaired,
    complains: it.complaints.length > 0,
  });
  const [one, other] = [JSON.stringify(facts(a)), JSON.stringify(facts(b))];
  return one === other ? [] : [`seen by parts: ${one}; directly: ${other}`];
}
