{{ config(materialized='view') }}

with

stay as (
    select * from {{ ref('fct_stay') }}
),

hospital as (
    select * from {{ ref('dim_hospital') }}
),

chapter as (
    select * from {{ ref('icd10_chapter') }}
),

final as (
    select
        stay.*,
        hospital.hospital_name_en,
        coalesce(chapter.name_zh, '未归类') as chapter_name_zh,
        coalesce(chapter.name_en, 'Unclassified') as chapter_name_en
    from stay
    left join hospital
        on stay.hospital_id = hospital.hospital_id
    left join chapter
        on stay.chapter_no = chapter.chapter_no
)

select * from final
