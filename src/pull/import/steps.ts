// Runs steps that depend on one another: each begins as soon as the steps it comes after are done.

export interface Step {
  readonly name: string;
  /** The names of the steps that have to be done before this one begins. */
  readonly after: readonly string[];
  readonly run: () => Promise<void>;
}

/**
 * Runs all steps. When one fails, the steps that come after it never begin, and the others run to their end:
 * nothing goes on behind the caller's back. Then the error is thrown; if several steps failed, the error of
 * the one listed first.
 */
export async function runSteps(steps: readonly Step[]): Promise<void> {
  const course: Course = { waiting: new Set(steps), done: new Set(), errors: new Map() };
  await runReady(course);
  const failed = steps.find((it) => course.errors.has(it));
  if (failed !== undefined) throw course.errors.get(failed);
  if (course.waiting.size === 0) return;
  const names = [...course.waiting].map((it) => it.name);
  throw new Error(`unreachable: nothing leads to the steps ${names.join(", ")}`);
}

interface Course {
  readonly waiting: Set<Step>;
  readonly done: Set<string>;
  readonly errors: Map<Step, unknown>;
}

/** Neither this nor `runStep` ever rejects: errors are collected. */
async function runReady(course: Course): Promise<void> {
  await Promise.all(takeReady(course).map((it) => runStep(course, it)));
}

function takeReady({ waiting, done }: Course): readonly Step[] {
  const ready = [...waiting].filter(({ after }) => after.every((it) => done.has(it)));
  for (const it of ready) waiting.delete(it);
  return ready;
}

/** Runs the step, then those that became ready by it. */
async function runStep(course: Course, step: Step): Promise<void> {
  try {
    await step.run();
  } catch (error) {
    course.errors.set(step, error);
    return;
  }
  course.done.add(step.name);
  await runReady(course);
}

export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

/** Lets `limit` pieces of work run at a time, the others wait in the order they came. */
export function createGate(limit: number): Gate {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await work();
    } finally {
      // The place goes to the next one as it is, so that nobody can slip in between.
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
