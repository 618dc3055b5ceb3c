"""National quantities by hand: 総計 of every counted row, typed from the workbooks of NDB Open Data; a dash is left out.

(ingredient, round) → setting → (BS and bio-AG, REF). The named REF brand only: ランタス without ランタスXR.
"""

INPATIENT, IN_HOSPITAL, PHARMACY = "inpatient", "outpatient_in_hospital", "outpatient_pharmacy"

HAND = {
    # REF レミケード点滴静注用100; BS 「NK」, from round 6 also 「CTH」「日医工」「ファイザー」「あゆみ」
    ("infliximab", 3): {IN_HOSPITAL: (23944.322, 864755.117), INPATIENT: (2865.203, 70505.871)},
    ("infliximab", 6): {
        IN_HOSPITAL: (86815.97 + 11693.1 + 7883.4 + 4684.5 + 2813.4, 775771.126),
        INPATIENT: (5936.145 + 3284.8 + 580.3, 48276.2),  # 「ファイザー」「あゆみ」: -
    },
    ("infliximab", 9): {
        IN_HOSPITAL: (182895.514 + 37406.617 + 17054.24 + 14985.24 + 4237.35, 634326.745),
        INPATIENT: (9339.38 + 3837.3 + 2657.25 + 512.4, 30525.575),  # 「あゆみ」: -
    },
    # REF ランタス注 ソロスター + カート + 100単位/mL; BS ミリオペン「リリー」+ カート「リリー」+ キット「FFP」
    ("insulin_glargine", 3): {
        IN_HOSPITAL: (344402.23045 + 27370.694 + 37817.93566, 726341.57588 + 28213.8741 + 7879.616),
        PHARMACY: (1244082 + 84414 + 51704, 3076207.5 + 104901 + 9630),
        INPATIENT: (132541.04525 + 1592.97361 + 1647.00262, 142130.93958 + 939.45905 + 20692.2304),
    },
    ("insulin_glargine", 6): {
        IN_HOSPITAL: (409931.08368 + 28608.565 + 76155.743, 232798.63257 + 11984.59002 + 3367.513),
        PHARMACY: (1988811.02 + 110695 + 125123, 1340731 + 55103 + 7921),
        INPATIENT: (175529.76829 + 1990.96026 + 8877.47285, 26844.29336 + 429.09187 + 19697.589),
    },
    ("insulin_glargine", 9): {
        IN_HOSPITAL: (385959.24673 + 26042.964 + 67737.437, 153648.49746 + 8075.60672 + 2603.718),
        PHARMACY: (2375686.01 + 118553 + 130653, 929214 + 35836 + 5747),
        INPATIENT: (153538.30141 + 2911.5987 + 6040.14695, 15314.58449 + 29206.9735),  # カート: -
    },
    # REF リツキサン点滴静注 100mg + 500mg; BS 「KHK」, in round 9 also 「ファイザー」
    ("rituximab", 6): {
        IN_HOSPITAL: (47769.675 + 41831.834, 43279.449 + 37791.892),
        INPATIENT: (50022.707 + 47346.057, 37090.932 + 32978.667),
    },
    ("rituximab", 7): {
        IN_HOSPITAL: (59041.022 + 51183.289, 28839.401 + 24727.48),
        INPATIENT: (62905.311 + 58502.865, 24096.451 + 21868.34),
    },
    ("rituximab", 9): {
        IN_HOSPITAL: (65784.892 + 56329.729 + 8524.519 + 7547.03, 21190.172 + 18679.643),
        INPATIENT: (67733.928 + 61568.291 + 7676.001 + 6881.909, 17804.329 + 18068.324),
    },
    # REF ハーセプチン注射用 60 + 150; BS 「CTH」「NK」「第一三共」「ファイザー」, 60 and 150 mg, as far as listed. 院外 of round 7: -
    ("trastuzumab", 6): {
        IN_HOSPITAL: (7818.78367 + 6731.495 + 32986.564 + 37237.364 + 1428, 411732.09163 + 451122.00427),
        INPATIENT: (3633.5227 + 4215.573, 29774.7041 + 34588.4966),
    },
    ("trastuzumab", 7): {
        IN_HOSPITAL: (
            26558.47009 + 28405.14644 + 152325.50359 + 167574.49387 + 11371.926 + 11421.931, 251569.8662 + 278204.46013,
        ),
        INPATIENT: (12750.00865 + 13641.911, 18346.2646 + 19636.207),
        PHARMACY: (0, 0),
    },
    ("trastuzumab", 9): {
        IN_HOSPITAL: (
            45035.3574 + 51454.9937 + 198309.77171 + 213937.3808 + 4799.937 + 4485.526 + 25537.272 + 28494.838, 141302.117 + 152931.725,
        ),
        INPATIENT: (2725.37 + 12870.6704 + 14669.64867, 10300.434 + 11377.315),
    },
}  # fmt: skip

# domain-supplement-drugs.md §G: national shares by fiscal year, %
YEARS = (2015, 2016, 2017, 2018, 2019, 2020, 2022, 2023, 2024)
NONE = None
PUBLISHED = {
    "filgrastim": (50.9, 65.7, 73.9, 82.0, 87.6, 91.3, 94.8, 95.7, 96.6),
    "infliximab": (1.2, 2.8, 5.0, 8.2, 13.1, 20.1, 29.1, 34.5, 41.3),
    "insulin_glargine": (9.1, 31.9, 48.2, 57.0, 63.3, 67.9, 73.5, 75.8, 78.3),
    "somatropin": (9.9, 11.4, 12.1, 13.2, 16.9, 24.9, 29.6, 43.7, 43.3),
    "epoetin_alfa": (63.2, 66.4, 66.4, 71.3, 67.7, 74.7, 65.2, 64.5, 76.7),
    "rituximab": (NONE, NONE, 0.5, 26.4, 55.3, 69.9, 78.8, 80.7, 83.8),
    "etanercept": (NONE, NONE, NONE, 4.6, 17.0, 37.6, 46.6, 53.1, 60.0),
    "trastuzumab": (NONE, NONE, NONE, NONE, 9.2, 42.8, 65.6, 73.9, 80.2),
    "agalsidase_beta": (NONE, NONE, NONE, NONE, 3.2, 5.6, 17.3, 24.8, 30.7),
    "darbepoetin_alfa": (NONE, NONE, NONE, NONE, 38.0, 80.5, 78.9, 78.1, 78.9),
    "teriparatide": (NONE, NONE, NONE, NONE, 1.0, 16.5, 49.2, 62.3, 74.5),
    "bevacizumab": (NONE, NONE, NONE, NONE, NONE, 5.5, 27.0, 44.6, 59.2),
    "insulin_lispro": (NONE, NONE, NONE, NONE, NONE, 7.6, 27.8, 27.0, 28.8),
    "adalimumab": (NONE, NONE, NONE, NONE, NONE, 0.1, 12.5, 18.9, 28.8),
    "insulin_aspart": (NONE, NONE, NONE, NONE, NONE, NONE, 8.0, 12.3, 24.9),
    "ranibizumab": (NONE, NONE, NONE, NONE, NONE, NONE, 15.9, 39.1, 70.7),
    "pegfilgrastim": (NONE, NONE, NONE, NONE, NONE, NONE, NONE, 3.9, 28.3),
    "ustekinumab": (NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, 0.5),
}
