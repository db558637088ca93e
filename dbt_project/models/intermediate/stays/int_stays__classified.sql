with

front_page as (
    select front_page.*
    from {{ ref('stg_claims__front_page') }} as front_page
    semi join {{ ref('int_stays__touched') }} as touched
        on front_page.source_id = touched.source_id and front_page.mdtrt_id = touched.mdtrt_id
),

diagnosis_system as (
    select * from {{ ref('diagnosis_system') }}
),

chapter as (
    select * from {{ ref('icd10_chapter') }}
),

bared as (
    select
        front_page.stay_id,
        coalesce(diagnosis_system.diagnosis_system, 'ICD-10') as diagnosis_system,
        left(regexp_replace(upper(front_page.dscg_maindiag_code), '[^A-Z0-9]', '', 'g'), 3) as diagnosis_category,
        left(
            regexp_replace(upper(coalesce(front_page.main_oprn_code, '')), '[^A-Z0-9]', '', 'g'), 4
        ) as operation_category
    from front_page
    left join diagnosis_system
        on front_page.source_id = diagnosis_system.source_id
),

-- A letter means a chapter of ICD-10 only where the code is one: V57 of ICD-9-CM is no traffic accident.
lettered as (
    select
        bared.stay_id,
        bared.diagnosis_system,
        bared.diagnosis_category,
        bared.operation_category,
        case
            when bared.diagnosis_system = 'ICD-10' and regexp_matches(bared.diagnosis_category, '^[A-Z][0-9][0-9A-Z]$')
                then left(bared.diagnosis_category, 1)
            else ''
        end as diagnosis_chapter
    from bared
),

classified as (
    select
        lettered.stay_id,
        lettered.diagnosis_system,
        lettered.diagnosis_category,
        lettered.operation_category,
        lettered.diagnosis_chapter,
        coalesce(chapter.chapter_no, '00') as chapter_no
    from lettered
    left join chapter
        on
            lettered.diagnosis_chapter <> ''
            and lettered.diagnosis_category between chapter.first_category and chapter.last_category
)

select * from classified
