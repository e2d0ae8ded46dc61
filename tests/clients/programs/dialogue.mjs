// One conversation, led by whoever started this program: dialogue.py says how.
import { createInterface } from "node:readline";

export const BASE_URL = process.env.BASE_URL;
export const MODEL = "claude-sonnet-5-5";
export const lookup = ({ city }) => `22 degrees in ${city}`;
export const citySchema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};

export async function lead(conversation) {
  for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    let answer;
    try {
      answer = await conversation[asked.do](asked.text);
    } catch (error) {
      answer = { error: error.constructor.name, status: error.status ?? null, message: String(error.message) };
    }
    console.log(JSON.stringify(answer));
  }
}

export function check(held, what) {
  if (!held) throw new Error(what);
}
