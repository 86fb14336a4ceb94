// The schema of one line of the progress stream, as `internals print-json-schema --of progress` prints it.
import { DRAFT, list, object, type Schema, text, whole } from "./builder.ts";

const COUNT = "uint64";

const TASK: Readonly<Record<string, Schema>> = {
  task: text("What is being done, for programs: `pulling`, `importing`, `staging`"),
  description: text("The same for people"),
  id: text("Which one: the digest of the image, or the task again where there is only one"),
};

const STEPS: Readonly<Record<string, Schema>> = {
  stepsCached: whole("Steps an earlier run has done", COUNT),
  steps: whole("Steps done", COUNT),
  stepsTotal: whole("Steps there are, such as layers", COUNT),
};

const BYTES: Readonly<Record<string, Schema>> = {
  bytesCached: whole("Bytes an earlier run has fetched", COUNT),
  bytes: whole("Bytes fetched", COUNT),
  bytesTotal: whole("Bytes there are; 0 when that is not known", COUNT),
};

const SUBTASK: Readonly<Record<string, Schema>> = {
  subtask: text("The kind of part, for programs"),
  description: text("The same for people"),
  id: text("Which one, such as the start of a layer's digest"),
};

function event(
  description: string,
  type: string,
  fields: Readonly<Record<string, Schema>>,
): Schema {
  const properties = { type: { type: "string", const: type }, ...fields };
  return object(description, properties, Object.keys(properties));
}

export const PROGRESS_SCHEMA: Schema = {
  $schema: DRAFT,
  title: "Event",
  description: "One line of what `--progress-fd` gets",
  oneOf: [
    event("The first line", "Start", { version: text("The version of the protocol") }),
    event("How far a download is", "ProgressBytes", {
      ...TASK,
      ...BYTES,
      ...STEPS,
      subtasks: list("Its parts that have begun", "SubTaskBytes"),
    }),
    event("How far work is that is counted in steps", "ProgressSteps", {
      ...TASK,
      ...STEPS,
      subtasks: list("Its parts that have begun", "SubTaskStep"),
    }),
  ],
  $defs: {
    SubTaskBytes: object(
      "A part of a download, done when `bytes` equals `bytesTotal`",
      { ...SUBTASK, ...BYTES },
      ["subtask", "description", "id", "bytesCached", "bytes", "bytesTotal"],
    ),
    SubTaskStep: object(
      "A part of work that is counted in steps",
      {
        ...SUBTASK,
        completed: { description: "Whether it is done", type: "boolean" },
      },
      ["subtask", "description", "id", "completed"],
    ),
  },
};
