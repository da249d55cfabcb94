// The values that travel between the page and its server, and between its views. Their twins in Python are named beside
// them; nothing here runs.

/**
 * An update of the sheet (`pad.DrawingUpdate`).
 * @typedef {object} DrawingUpdate
 * @property {number} number of the update
 * @property {[number, number]} sheet width and height in pixels
 * @property {[number, number, number, number] | null} crop left, top, width and height of the ink; null: blank
 * @property {string} ink the crop, a byte a pixel, 255 for paper, deflated without header, in base64
 * @property {number[][]} lines the pen's, in the order drawn, where they are known: x, y, x, y, ... in pixels
 */

/**
 * `draw.ReadRequest`.
 * @typedef {object} ReadRequest
 * @property {string | null} weights "shipped" or a run's id; null: "shipped"
 * @property {DrawingUpdate} drawing
 */

/**
 * `train.TrainingReadRequest`.
 * @typedef {object} TrainingReadRequest
 * @property {DrawingUpdate} drawing
 * @property {number} digit which of several a run follows, from the left
 */

/**
 * One digit that was read (`reading.ReadDigit`).
 * @typedef {object} ReadDigit
 * @property {number | null} digit null: not sure that it is one
 * @property {number | null} guess the most probable digit; null: none stands out
 * @property {string | null} reason why there is no digit
 * @property {number[]} probabilities ten
 * @property {string} input 28 by 28 bytes, what the network saw, in base64
 * @property {number[]} box left, top, right, bottom in parts of the sheet
 */

/**
 * What was read in one update (`reading.Answer`).
 * @typedef {object} Answer
 * @property {number} number the update's
 * @property {ReadDigit[]} digits row by row, left to right; none when the sheet is blank
 * @property {string | null} left_out which small signs beside them were not read, in a sentence
 * @property {string} reader which model read it, in words
 */

/**
 * A layer whose output is maps (`inside._MAPS`).
 * @typedef {"cn1" | "cn2" | "pool"} MapLayer
 */

/**
 * Why the drawing is read as it is (`inside._REASON`).
 * @typedef {"why" | "edit" | "nearest"} Reason
 */

/**
 * What is unfolded in Look inside (`inside.ViewRequest`).
 * @typedef {object} ViewRequest
 * @property {MapLayer | null} layer whose map is worked out
 * @property {number} map
 * @property {Reason[]} open
 * @property {number | null} target the digit that the smallest edit shall make
 * @property {boolean} still the pen rests
 */

/**
 * `inside.LayersRequest`.
 * @typedef {object} LayersRequest
 * @property {string | null} weights "shipped" or a run's id; null: "shipped"
 * @property {DrawingUpdate} drawing
 * @property {number} digit which of several is looked at, from the left
 * @property {ViewRequest} view
 */

/**
 * One layer's description (`inside._layers`).
 * @typedef {object} Layer
 * @property {string} name
 * @property {number[]} shape
 * @property {number} parameters
 * @property {string} code
 * @property {string} note
 */

/**
 * One map in full, with what it was computed from (`inside._chosen`). Arrays are little-endian float32 in base64.
 * @typedef {object} ChosenMap
 * @property {MapLayer} layer
 * @property {number} map
 * @property {string} values
 * @property {string} below the maps that it was computed from
 * @property {string | null} weights a kernel for each map below; null: pooling, which has none
 * @property {number} bias
 * @property {number} [strongest] of the kernel's weights
 */

/**
 * A drawing on its way through the layers (`inside.look`).
 * @typedef {object} Layers
 * @property {number} number the update's
 * @property {Layer[]} layers
 * @property {Record<"picture" | MapLayer, string>} bytes in base64: the picture as grey levels; maps signed, 127 the
 *     strongest
 * @property {Record<MapLayer | "fc1", number>} scale the strongest value of each layer
 * @property {Record<MapLayer, [number, number, number][]>} largest each map's largest value, its row, its column
 * @property {number[]} fc1
 * @property {number[]} fc2
 * @property {number[]} log_probabilities
 * @property {number[]} probabilities
 * @property {number | null} answer
 * @property {boolean} blank
 * @property {string} activation its name
 * @property {boolean} follows the weights are being trained
 * @property {boolean} mnist it is here
 * @property {Record<string, string>} said sentences, by the part that they belong to
 * @property {ChosenMap} [chosen]
 * @property {{ digit: number, map: string }[]} [why]
 * @property {{ picture: string, dabs: [number, number, boolean][], pen: number } | null} [edit]
 * @property {{ label: number, said: string, distance: number, picture: string }[]} [nearest]
 */

/**
 * The values of a toy's controls, by name: a slider's or a step's number, an option, the numbers of cells, or the place,
 * [row, column], that was picked.
 * @typedef {Record<string, number | string | number[]>} ToyValues
 */

/**
 * `playground.ToyRequest`.
 * @typedef {object} ToyRequest
 * @property {string} toy
 * @property {ToyValues} values of the controls that were changed; the server fills in the rest
 */

/**
 * A toy (`playground.ToyShown`). `controls` and `parts` are HTML that the server's templates have escaped.
 * @typedef {object} ToyShown
 * @property {string} toy
 * @property {ToyValues} values of all controls
 * @property {string} controls
 * @property {Record<string, number[]>} among what a click turns each editable cell's number into, by control
 * @property {string} parts
 * @property {string} said
 * @property {Plot | null} curves
 */

/**
 * One curve (`chart.Series`).
 * @typedef {object} Series
 * @property {string} name
 * @property {[number, number][]} points x ascending
 * @property {number} colour 1 to 6; 0 is grey
 * @property {string} dash
 * @property {boolean} faint
 * @property {boolean} dots
 * @property {boolean} label the name stands at the curve's end
 * @property {string[] | null} notes one for each point
 */

/**
 * What a chart shows (`chart.Plot`).
 * @typedef {object} Plot
 * @property {Series[]} series
 * @property {{ x: number, name: string }[]} marks
 * @property {string} [x_name]
 * @property {string} [y_name]
 * @property {number} [x_low]
 * @property {number} [x_high]
 * @property {boolean} [x_grows]
 * @property {number} [y_low]
 * @property {number} [y_high]
 * @property {boolean} [can_log]
 * @property {boolean} [log]
 * @property {string} [hint]
 * @property {string} [summary]
 */

/**
 * A picture to lay on the pads (`pad.DigitPad.postprocess`).
 * @typedef {object} PictureToLay
 * @property {string} picture a data URL
 * @property {string} caption
 */

/**
 * What to train by (`config.TrainConfig`): a value for each knob.
 * @typedef {Record<string, number | string>} Recipe
 */

/**
 * What the page tells a view, and hears from it.
 * @template Value
 * @typedef {object} Host
 * @property {Value} value
 * @property {(name: string, detail?: object) => void} trigger tells the page of an event
 * @property {(name: "value", changed: () => void) => void} watch
 */

/**
 * What a view gets when it is mounted: its value, set by the page, what all views share, and what it may ask.
 * @template Value
 * @typedef {Host<Value> & typeof import("./services.js").shared} Services
 */

export {};
