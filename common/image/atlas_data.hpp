// The glyphs of the atlas: printable ASCII of DejaVu Sans Bold 2.37, rasterised once by FreeType at three
// sizes. Data instead of a font library, so that pictures do not change with library or font versions.
//
// DejaVu's licence (Bitstream Vera) allows embedding: Copyright (c) 2003 by Bitstream, Inc. All Rights
// Reserved. Bitstream Vera is a trademark of Bitstream, Inc. DejaVu changes are in the public domain.
//
// Alpha has eight levels; a character holds two pixels, row by row: v = 8 * left + right, written as the
// v-th character from '#' on, the backslash left out.
#pragma once

namespace sl::image {

struct Packed {
    int advance;        // to the next glyph's origin
    int left, top;      // of the bitmap, from the origin and from the line's top
    int width, height;  // of the bitmap
    const char* pixels;
};

// clang-format off
constexpr int ascent_12 = 10, descent_12 = 3;
constexpr Packed glyphs_12[] = {
    {4, 0, 10, 0, 0, ""},
    {5, 1, 1, 3, 9, ":Ub:Ua2L`#%b:S"},
    {6, 1, 1, 5, 3, "W:1E]W:+"},
    {10, 0, 1, 10, 9, "#$]:##&SH#'ccc^#*4]##2-[#2cccC#P);##V*3##^2+#"},
    {8, 0, 1, 8, 11, "#%K#$Rc[)VK#*aK#)ccC%Zc^#&Y_#%N^*cb;#%K##%K#"},
    {12, 0, 1, 12, 9, "(b3$]#B0S);#I&[A##B0T^##(b7MZK##:1L_##V*;W#&S)L_#23%ZK"},
    {10, 0, 1, 10, 9, "#0c[##Z3###Z;###R]##(cb%_2]ZG^2S1cS)^'c;$QbQ_"},
    {4, 1, 1, 2, 3, "WWW"},
    {5, 1, 0, 4, 11, "&^*SBCR3Z+c#Z+R3BC*S&^"},
    {5, 0, 0, 5, 11, ")S#:;#b#(]#J;'_#J;(]#b#:;)S#"},
    {6, 0, 1, 7, 6, "#@#'FMK/cL$Ja+G@8#&K#"},
    {10, 1, 3, 8, 7, "#(K##(K##(K#Rcca#(K##(K##(K#"},
    {5, 0, 8, 4, 4, "(^)^*S:3"},
    {5, 0, 6, 5, 2, ":c5c^"},
    {5, 1, 8, 3, 2, "R8^"},
    {4, 0, 1, 5, 10, "#23&S#O#*3%[#H#);%]#H#);#"},
    {8, 0, 1, 8, 9, "#Ia+(_1[2['_:S'aBS&a:S'a2['_(_1[#Ja+"},
    {8, 1, 1, 7, 9, "RcC#'`##JC#'`##JC#'`##JC#'`#JccC"},
    {8, 0, 1, 8, 9, "%RX+(3BS##*]##:]##ZK#(a##RK#'b+#*cc^"},
    {8, 0, 1, 8, 9, "$Ra3'3B[##2]##BS#Rc3##B]##)^/+:]&ZX3"},
    {8, 0, 1, 8, 9, "#%cC#1cC#RRC%`JC2SJCB3JCBccb##JC##JC"},
    {8, 0, 1, 8, 9, "(ccS(]##(]##(ca3##B]##)_##)_##B]2cX+"},
    {8, 0, 1, 8, 9, "#9c]%a+#)]##2bb;:`)^2]'`*]'`'`)^#Ib3"},
    {8, 0, 1, 8, 9, "2cc_##2^##JS##c;#&c##)`##2]##JK##c+#"},
    {8, 0, 1, 8, 9, "$Rb;)_1]*](_(_1]$Zc;)^1^:S'`*^1^%Rb;"},
    {8, 0, 1, 8, 9, "$Qa+)]:S:S)^:S)_2]:`%ZY_##(]##BK)cW#"},
    {5, 1, 3, 3, 7, "R@_####(_R;"},
    {5, 0, 3, 4, 9, "(_(_######(_(_)T23"},
    {10, 1, 3, 8, 7, "##$H#&R_8cM#RL##8cM##&R_##$H"},
    {10, 1, 5, 8, 3, "Rcca####Rcca"},
    {10, 1, 3, 8, 7, "G+##Ab<##8cM##0a#8cMAb<#G+##"},
    {7, 0, 1, 7, 9, "2cV##2]#&c#%c;#RC#)]#####*]##c+#"},
    {12, 0, 1, 12, 11, "#%Rb;##I<%P#%T##(C)3JYD[2%^2C]1&S)C[2%^2GC)3JYW#&T#####I3%L##%Rb;#"},
    {9, 0, 1, 10, 9, "#)c+##:cC##JZS##c:^#%b'`#(`%c#*ccc3BK#BKR;#2]"},
    {9, 1, 1, 8, 9, "Zca+Z;JKZ;:SZ;JKZcc3Z;:]Z;*^Z;:]Zca3"},
    {9, 0, 1, 9, 9, "#8cX#BU$C*_##%c###B[##%c###*^###BU$C#8cX#"},
    {10, 1, 1, 9, 9, "ZcX+)_%c3Z;&b)_#2^Z;#c9_#2^Z;&b)_%c3ZcX+#"},
    {8, 1, 1, 7, 9, "Zcc1_##Z;#)_##Zcc)_##Z;#)_##Zcc3"},
    {8, 1, 1, 7, 9, "Zcc1_##Z;#)_##Zcc)_##Z;#)_##Z;##"},
    {10, 0, 1, 9, 9, "#8Zb;BU$?*_##%c###B['c^c#$c*^#2[BU%c#8cYC"},
    {10, 1, 1, 8, 9, "Z;%cZ;%cZ;%cZ;%cZcccZ;%cZ;%cZ;%cZ;%c"},
    {4, 1, 1, 3, 9, "ZA_ZA_ZA_ZA_Z;"},
    {4, -1, 1, 5, 11, "#Z;)_#Z;)_#Z;)_#Z;)_#Z3:]RM#"},
    {9, 1, 1, 9, 9, "Z;)a)_)a#ZAa#)ca##Zc3#)bc3#Z?c3)_'c3Z;(c3"},
    {8, 1, 1, 7, 9, "Z;#)_##Z;#)_##Z;#)_##Z;#)_##Zcc3"},
    {12, 1, 1, 10, 9, "Z]#:bZ`#RbZZ,bbZB?_bZ9ZMbZ6c5bZ3b%bZ3#%bZ3#%b"},
    {10, 1, 1, 8, 9, "ZS$cZ_$cZb$cZR<cZ9UcZ6acZ3ZcZ3:cZ3)c"},
    {10, 0, 1, 10, 9, "#8cV#&b,RC*^#2^:[#)_B[#(`:[#)_*^#2^&b,RC#8cV#"},
    {9, 1, 1, 8, 9, "ZcX+Z;BSZ;*]Z;*]Z;BSZcX+Z;##Z;##Z;##"},
    {10, 0, 1, 10, 11, "#8cV#&b,RC*^#2]:[#)_B[#(`:[#)_*^#2^&b,RK#8c`###%a####JC"},
    {9, 1, 1, 8, 9, "ZcX+Z;RKZ;BSZ;RCZca#Z<Z;Z;B[Z;*_Z;'b"},
    {9, 0, 1, 8, 9, "$QcT)^$D2[##*bE#&ccT#/Za##'a(4(_(Zb;"},
    {8, 0, 1, 9, 9, "cccc+#c3##*^###c3##*^###c3##*^###c3##*^##"},
    {10, 1, 1, 8, 9, "Z;'aZ;'aZ;'aZ;'aZ;'aZ;'`R;(`BL2]&Za3"},
    {9, 0, 1, 10, 9, "RC#2]BS#JK*]#Z3(`%c#%b'`##c:^##JZS##:cC##)c+#"},
    {13, 0, 1, 13, 9, "JC'b#BMb#Z['`*]*Z3Z3Z5_`2['`J1Mb#BXSJJC$c`&c_#)c;2c+#R]#ZS#"},
    {9, 0, 1, 10, 9, ":]#ZC(a&b#$ZB^##:cC##)c+##BcK#$c9_#(`%c+BS#RK"},
    {9, -1, 1, 10, 9, ")a#)_$c3JS#JUc3#)c`##%cS###Z;###R;###R;###R;#"},
    {9, 0, 1, 9, 9, ":ccc##$c[##Z^##J`##:b##1c+#(c;#&cK##Bccc+"},
    {5, 1, 0, 4, 11, "cac#c#c#c#c#c#c#c#c#ca"},
    {4, 0, 1, 5, 10, "V#'K#:+#V#'K#:##^#(C#A#$^"},
    {5, 0, 0, 5, 11, "2c;'_#J;'_#J;'_#J;'_#J;'_2c;"},
    {10, 1, 1, 8, 3, "#:^#%aR3:;&U"},
    {6, 0, 12, 6, 1, "ccc"},
    {6, 0, 0, 4, 2, "1C#N"},
    {8, 0, 3, 8, 7, ")cX+##:K##*['Zc]BT*]BLB]'cc]"},
    {9, 1, 0, 8, 10, "c+##c+##c+##cc`#cCJCc3:Sc+2[c3:ScCJCcc`#"},
    {7, 0, 3, 7, 7, "$I`#Z;5:S#&a##:S##Z;5$I`#"},
    {9, 0, 0, 8, 10, "##'`##'`##'`$Zc`)^2`:S'`BK'`:S'`)^2`$Zc`"},
    {8, 0, 3, 8, 7, "$Qa+)^2S:K(_Bcc`:K##)^$E$Qa;"},
    {5, 0, 0, 6, 10, "$R^'`#(_#Rc](_#(_#(_#(_#(_#(_#"},
    {9, 0, 3, 8, 10, "$Zc`)^2`:S(`BK'`:S(`)^2`$Zc`##'_'3:]$RX3"},
    {9, 1, 0, 7, 10, "c+#*]##c+#*ccKcCRB]'`c+JJ]'`c+JJ]'`"},
    {4, 1, 0, 3, 10, "c2]#*]c2]c2]c2]"},
    {4, -1, 0, 5, 13, "#c+*]###*]#c+*]#c+*]#c+*]#c+:SBU#"},
    {8, 1, 0, 8, 10, "c+##c+##c+##c,Z;c1_#cZ;#cc+#cJT#c0b#c+RK"},
    {4, 1, 0, 3, 10, "c2]c2]c2]c2]c2]"},
    {13, 1, 3, 11, 7, "ccbZa*`2a(_c+Z;JJ](^'`c+R3JJ](^'`c+R3JC"},
    {9, 1, 3, 7, 7, "cca*`(_c+JJ]'`c+JJ]'`c+JC"},
    {8, 0, 3, 8, 7, "$Qa3)^1]:S'`BK&a:S'`)^1]$Qa3"},
    {9, 1, 3, 8, 10, "cc`#cCJCc3:Sc+2[c3:ScCJCcc`#c+##c+##c+##"},
    {9, 0, 3, 8, 10, "$Zc`)^2`:S'`BK'`:S'`)^2`$Zc`##'`##'`##'`"},
    {6, 1, 3, 5, 7, "ccZa#c+*]#c+*]#c+#"},
    {7, 0, 3, 7, 7, "'ZV%`$D:V+#RcT#-RED'_&ZW#"},
    {6, 0, 2, 6, 8, ")^#Zc_)^#)^#)^#)^#(_#%Z^"},
    {9, 0, 3, 8, 7, "*['`*['`*['`*['`*[(`)^2`%Zc`"},
    {8, 0, 3, 8, 7, "J;'_:S*])]:K'_J3$bc##Z`##B^#"},
    {11, 0, 3, 11, 7, "BCBCBDb(a(^*[Y[c#RBBBS&b[Y`#:a(c3#cCB[#"},
    {8, 0, 3, 8, 7, "BS2](_R;#Za##J^#$cb#(_RCBK1^"},
    {8, 0, 3, 8, 10, "R;(_:S*])]:K&`J;$bZ+#Ra##:_##*]##:K#)a+#"},
    {7, 0, 3, 7, 7, ":cc;#B_#:a#1b+)c+&c;#Bcc;"},
    {9, 1, 0, 7, 11, "#1c#'`##R3#(^#$Z+'cK#$c+#(^##R3#'`##1c#"},
    {4, 1, 1, 2, 12, "AAAAAAAAAAAA"},
    {9, 1, 0, 7, 11, "JW##1]##R3#(^##JC#$c[#RC#(^##R3#1]#JW##"},
    {10, 1, 4, 8, 3, "####0a3/=%RM"},
};
constexpr int ascent_17 = 14, descent_17 = 4;
constexpr Packed glyphs_17[] = {
    {6, 0, 14, 0, 0, ""},
    {8, 2, 2, 4, 12, "J_J_J_J_J_J^B]:[##J_J_J_"},
    {9, 1, 2, 7, 5, "BCR6`(^BCR6`(^BCR3"},
    {14, 1, 2, 13, 12, "##B;B;##(](]###b#Y##Zcccc])ccccc+#R+R+##*S)S#)ccccc+Zcccc]#(]']###Y#Z###2K2K##"},
    {12, 1, 1, 10, 16,
     "##O####O##$IcW+2cccSJ^O.KJ]O##Bbb4#(cccC#.Zc_##O2`G4O:`Rccc].QcX+##O####O####O##"},
    {17, 0, 2, 17, 12,
     "$RW##)T##Z.`#'^##:K*[$a##&`#c+R+##:K*[B;###Z.`2KIa+$RW(]J<b###&_*[(^##$Y$c#J;##R+*[(^##:C#J<b##)S##Ia+"},
    {15, 1, 2, 14, 12,
     "#&ZX3###Rcc[##$c]%K###c]#####Ra####'ccK$c;B`Ra&c3Z[(cYb#c[#Rc^#Ra+:cS#1cccca#$IcW1cK"},
    {5, 1, 2, 3, 5, "BF`BF`BC"},
    {8, 1, 1, 6, 15, "#:]#ZK&c3(b#2a#:_#B^#J^#B^#:_#2a#)b#&c3#ZK#:]"},
    {8, 1, 1, 6, 15, "B]#)a#'c+$cC#ZS#R]#J^#J^#J^#R]#ZS$cC'c+)a#B]#"},
    {9, 0, 2, 9, 8, "#%]#%L:,L:``b3/c`#$JcC%cJJU8-]0+#:+#"},
    {14, 1, 4, 12, 10, "##)]####)]####)]####)]##2cccc_2cccc_##)]####)]####)]####)]##"},
    {6, 0, 11, 5, 6, "%cK:a%cKB^(`#b#"},
    {7, 0, 8, 7, 2, "2cc,cc]"},
    {6, 1, 11, 4, 3, ":a:a:a"},
    {6, 0, 2, 7, 14, "##Z##2K#&_##R+#*S#%_##R+#*S#%`##J3#)S#%`##J3#)[##"},
    {12, 0, 2, 12, 12, "#&Za;##Rcc`#&cL1c3)c3&cK*c+%cS2c#$c[2c#$c[*c+%cS)c3&cK&cL1c3#Rcc`##&Za;#"},
    {12, 1, 2, 10, 12, "$IcS#2ccS#1=cS##$cS##$cS##$cS##$cS##$cS##$cS##$cS#*ccca*ccca"},
    {12, 1, 2, 10, 12, "&QbM#Jccc;J;0c]<##c^###c]##&cK##:b+#&cT##Ra+#1cC##Rccc^Rccc^"},
    {12, 1, 2, 10, 12, "%QcN#:cccK73/c]###c]##/cK#Rc`##Rcc;##.c^###Z_N+.c^ZcccK/ZbN#"},
    {12, 0, 2, 12, 12, "##(c^###Bc^##$cZ^##)_R^##RKR^#&b#R^#2]#R^#:cccc[:cccc[###R^####R^####R^#"},
    {12, 1, 2, 10, 12, "2cccK2cccK2^###2^###2bcV#2cccK04&c_###R`###R`G3&c^RcccK.QcN#"},
    {12, 1, 2, 10, 12, "#/ZX3%ccc]2c<%LJ_###R`ZX+Zccc]cb+RaZ`#:bJ`#:b:b+R`'cccT#@cW#"},
    {12, 1, 2, 10, 12, "Zccc_Zccc_##$c]##'cK##2c+##Ba###Z^##&cK##)c3##:b###R^##%cS##"},
    {12, 1, 2, 10, 12, "$QcW+2cccTJa$Z_J_#J_:a$Z]&Zcb3'ccb;R`$R_Z]#:aZ`$RaBccc^%QcX+"},
    {12, 0, 2, 11, 12, "#/ZX3#2ccc3(c;:c#c[#R_2c#(cCZ_%ca%ccccK%RaR`###(c37+/cS%cccT#&Rb;#"},
    {7, 1, 5, 4, 9, "2b2b2b######2b2b2b"},
    {7, 1, 5, 4, 12, "2b2b2b######2b2b2b:_JKZ+"},
    {14, 1, 4, 12, 10, "####%N###/Z_##@cb<%RcW+#2cE###2cE###%RcW+###@cb<###/Z_####%N"},
    {14, 1, 6, 12, 6, "2cccc_2cccc_############2cccc_2cccc_"},
    {14, 1, 4, 12, 10, "0;####2cE###&RcV+##$Aca;###/Z_###/Z_#$Aca;&RcV+#2cE###0;####"},
    {10, 1, 2, 8, 12, "/ZX3Zcc^N+Ja##:a#$Z^#1cC#Z_#$c[#####$cS#$cS#$cS#"},
    {17, 1, 2, 15, 15,
     "##8ZX;##$RcccU#$ZV+%J^#RC###1]:K&ZH[:?]&ccZ#XQ#Z3:[)QK*[#Z#aX#Z3:]R?]&ccZcK:C&ZHb;#RC#####$ZU+%I+#$Rccc"
     "C###8ZX3##"},
    {13, 0, 2, 14, 12,
     "##JcK####Zc]###%cc_###(c:b###2b(c+##B_%cC##Z]#Z[#$cccc^#'cccca#*c##)c+:a##'cCR_##%cS"},
    {13, 1, 2, 11, 12, "Bccb;&ccccKBa#:c.cK#c^Ba#:c&cccc3Bccca&cK$Z_Ba#&cNcK$ZaBcccc6cccX+"},
    {12, 0, 2, 12, 12, "##@ZX<#9ccc_$ca3-E(cS###*c;###2c3###2c3###*c;###(cS###$ca3-E#9ccc_##@cX<"},
    {14, 1, 2, 13, 12, "BccX;#&ccccU#Ba#8c]&cK#(cKBa##:c&cK#$c]Ba##2c.cK#%c[Ba##Ra&cK%Rc+Bcccb3&ccbN##"},
    {12, 1, 2, 10, 12, "Bccc]Bccc]Ba###Ba###Ba###BcccSBcccSBa###Ba###Ba###Bccc_Bccc_"},
    {12, 1, 2, 10, 12, "Bccc]Bccc]Ba###Ba###Ba###BcccSBcccSBa###Ba###Ba###Ba###Ba###"},
    {14, 0, 2, 13, 12, "##@ZbN#%Zccc^$ca3$@3Rb####*c;###$c]#:ca2c3%ccKc_##:a(cS#%cK2cM#Ba#9ccccK#&RbX<"},
    {14, 1, 2, 12, 12, "Ba##JaBa##JaBa##JaBa##JaBa##JaBccccaBccccaBa##JaBa##JaBa##JaBa##JaBa##Ja"},
    {6, 1, 2, 4, 12, "BaBaBaBaBaBaBaBaBaBaBaBa"},
    {6, -1, 2, 6, 15, "#Ba#Ba#Ba#Ba#Ba#Ba#Ba#Ba#Ba#Ba#Ba#Ja%Z_ccScW#"},
    {13, 1, 2, 13, 12, "Ba#%c`&cK%c`#Ba%c_#&cMc_##Bcc_##&cc_###BccT##&cYcT##Ba1cT#&cK1cT#Ba#1cT&cK#(c^"},
    {11, 1, 2, 10, 12, "Ba###Ba###Ba###Ba###Ba###Ba###Ba###Ba###Ba###Ba###Bccc_Bccc_"},
    {17, 1, 2, 15, 12,
     "BcS##Zc6cc3#:c^Bca#(cc6cZ]$cZ^B`ZCJXc6cFc2_R^B`2bc(c6cCJcCR^B`$c](c6cC(a#R^B`###(c6cC###R^"},
    {14, 1, 2, 12, 12, "Bc;#BaBcS#BaBc_#BaBcc+BaBacCBaB`B]BaB`)aBaB`&cJaB`#ZcaB`#:caB`#(caB`#$ca"},
    {14, 0, 2, 14, 12,
     "#$IcX3##:ccca#$c`+9cC(cK#%c]*c3##Z_2c3##R`2c+##R`*c3##Z_(cK#%c]$c`+9cC#:ccca##$IcX3#"},
    {12, 1, 2, 11, 12, "BccbC&ccccSBa#:c>cK#JaBa#'cNcK%c_Bcccb&cccW#Ba###&cK###Ba###&cK###"},
    {14, 0, 2, 14, 14,
     "#$IcX3##:ccca#$c`+9cC(cK#%c]*c3##Z_2c3##R`2c+##R`*c3##Z_(cK#%c]$c`+9cC#:ccca##$Icc;####$Z]#####1c+"},
    {13, 1, 2, 12, 12, "Bcca;#Bccc`#Ba#Jc#Ba#2c+Ba#2c#Ba#Ja#BcccK#BcccK#Ba$Za#Ba#2c3Ba#'cSBa##Z_"},
    {12, 1, 2, 10, 12, "$IcXD2ccc]J`+.LR]###Rb=##:cca3%Zcc_#$7Zb###2cG4$JbRccc^/QcX3"},
    {12, 0, 2, 12, 12, "Zcccc`Zcccc`##Z_####Z_####Z_####Z_####Z_####Z_####Z_####Z_####Z_####Z_##"},
    {14, 1, 2, 12, 12, "Ba##c^Ba##c^Ba##c^Ba##c^Ba##c^Ba##c^Ba##c^Ba##c^:b#$c]*c;0cS&cccc3#8ZbD#"},
    {13, 0, 2, 14, 12,
     "R_##%cS:b##(cC*c3#2c+'cC#Ba#$c[#Z^##Z^$c[##Ba'cC##2c1c+##(cRb###%cc_####Zc]####JcK##"},
    {19, 0, 2, 19, 12,
     "Ba#%c[#*c,c[#Jc3$cS)c+(c`#B`#R_#cRK(c;&cK:^c#Z]#2b&a*^2b##Z]R;RFcC#(cB^'aR_##Bbc#:bc+#$ccK#ccS##)c`#(ca"
     "###Rc3#Jc;#"},
    {13, 0, 2, 13, 12, "2c+#2c3Bb#)cC#R`'cS#$c_c]##%cc_###(ca####ZcS###JccC##:c:c3#)c;:b+'cK#Ja%cT##Z_"},
    {12, -1, 2, 14, 12,
     ")cK#&c]$c^#2c;#Bb#Ra##(cEc]##$ccc;###Bca####(c]####&cK####&cK####&cK####&cK####&cK##"},
    {12, 0, 2, 12, 12, "*cccc_*cccc_###1cS###Zc+##(c^###Bc;##%c`###2cK##$Zb+##(c]###:cccc`:cccc`"},
    {8, 1, 1, 6, 15, "Jc`Jc`J^#J^#J^#J^#J^#J^#J^#J^#J^#J^#J^#Jc`Jc`"},
    {6, 0, 2, 7, 14, "Z##'^##:C##Y##'^##:C##b##(]##:;##b##(]##B;#$a##)["},
    {8, 1, 1, 6, 15, "Zc^Zc^#J^#J^#J^#J^#J^#J^#J^#J^#J^#J^#J^Zc^Zc^"},
    {14, 1, 2, 12, 5, "##:`###%cc;##2aJ^#$ZC&c3)_##1]"},
    {9, 0, 16, 9, 2, "ccccJccc`"},
    {9, 0, 0, 6, 3, "(`##R3#(]"},
    {11, 0, 5, 11, 9, "&cca;#BcccC###2c#/Zcc])cccc,cT#Z]2b+Jc+ZcaZ]$Ra)c+"},
    {12, 1, 1, 11, 13, "J_###'c;###J_###'c;###J_9b;'cRcc;Jc3Bc'cC#Z^J_#(c?cC#Z^Jc3Bc'cRcc;J_9b;#"},
    {10, 0, 5, 9, 9, "#/ZX32ccc)cL%Dc[##:b##$c[##)cL$K2ccc#/Za3"},
    {12, 0, 1, 11, 13, "###%cK###:a###%cK###:a#9b=cK:ccJa)cC1cLc[#Ba:b#%cLc[#Ba)cC1cK:ccJa#9b=cK"},
    {12, 0, 5, 11, 9, "#/Zb;#2cccK)c30c<cccca:ccccLcS###)cD$83:ccc^#/ZbE#"},
    {7, 0, 1, 8, 13, "#0Z`#Zc`$cT#$cK#Rcc^Rcc^$cK#$cK#$cK#$cK#$cK#$cK#$cK#"},
    {12, 0, 5, 11, 13, "#9b=cK:ccJa)cC1cLc[#Ba:b#%cLc[#Ba)cC1cK:ccJa#9b=cK###J`$M$Bc+2ccc;#8ZX3#"},
    {12, 1, 1, 10, 13, "J_###J_###J_###J_###J_9b;J`cc^Jc3J`J`#:aJ_#:aJ_#:aJ_#:aJ_#:aJ_#:a"},
    {6, 1, 1, 4, 13, "J_J_J_##J_J_J_J_J_J_J_J_J_"},
    {6, -1, 1, 6, 17, "#J_#J_#J_####J_#J_#J_#J_#J_#J_#J_#J_#J_#J^$Z]JcKJX+"},
    {11, 1, 1, 11, 13, "J_###'c;###J_###'c;###J_#Ra'c;R`#J_R`#'cc_##Jcc+#'cRb+#J_Bb+'c;Bc+J_#Bc+"},
    {6, 1, 1, 4, 13, "J_J_J_J_J_J_J_J_J_J_J_J_J_"},
    {18, 1, 5, 16, 9, "J_9a+Ia+JaccOccSJc4Zb,Z^J`#R`#J^J_#J_#J_J_#J_#J_J_#J_#J_J_#J_#J_J_#J_#J_"},
    {12, 1, 5, 10, 9, "J_9b;J`cc^Jc3J`J`#:aJ_#:aJ_#:aJ_#:aJ_#:aJ_#:a"},
    {12, 0, 5, 11, 9, "#/Zb;#:cccS)cC1cDc[#:b:b#$c]c[#:b)cC1cC:cccS#/Zb;#"},
    {12, 1, 5, 11, 13, "J_9b;'cRcc;Jc3Bc'cC#Z^J_#(c?cC#Z^Jc3Bc'cRcc;J_9b;'c;###J_###'c;###J_####"},
    {12, 0, 5, 11, 13, "#9b=cK:ccJa)cC1cLc[#Ba:b#%cLc[#Ba)cC1cK:ccJa#9b=cK###:a###%cK###:a###%cK"},
    {8, 1, 5, 8, 9, "J_9^Jac^Jc;#J`##J_##J_##J_##J_##J_##"},
    {10, 0, 5, 10, 9, "$IcN+)cccK2a#/C)b=+#%Zcb;#$6Z](<$R^*ccc[$IcX+"},
    {8, 0, 2, 8, 12, "%cK#%cK#%cK#RccaRcca%cK#%cK#%cK#%cK#%cS##cc_#9c_"},
    {12, 1, 5, 10, 9, "R^#:aR^#:aR^#:aR^#:aR^#:aR^#BaJa%Za2ccJa%ZU:a"},
    {11, 0, 5, 11, 9, "J_#%cDcS#R^(c+2b#:`&c;#ZSZ[#'cB`##2cc+##RcK##%c_##"},
    {16, 0, 5, 16, 9, ":`#J^#Z[*b#R_$cK(c+ca&c;&c=ac(c+$cG_R9b##ZX]BR`##JcS2c^##BcK*c]##2c;(cS#"},
    {11, 0, 5, 11, 9, ":b#1c+B`(c;#RacC##ZcS##&c_##$ccT##Z`cK#J_'cCBa#)c3"},
    {11, 0, 5, 11, 13, "J_#&cDcK#R](c+2b#:`&c;#Z[R[#&cJa##)cc3##JcS##$c_###(c+##$cK##:c]##%cU###"},
    {10, 0, 5, 10, 9, "*ccc]*ccc]##(cC##R`##(cC##Ra##(cK##:ccc]:ccc]"},
    {12, 2, 1, 8, 16, "#$Qc#)cc#2b+#:`##:`##B`#$R_#ZcK#ZcK#$R_##B`##:`##:`##2b+#)cc#$Qc"},
    {6, 2, 1, 3, 17, "Z)[Z)[Z)[Z)[Z)[Z)[Z)[Z)[Z#"},
    {12, 2, 1, 8, 16, "Za3#Zc]#$R^##B_##B_##B_##:b+#'cc#(cc#:b+#B_##B_##B_#$R^#Zc]#Za3#"},
    {14, 1, 6, 12, 5, "######%Ra<$F2cccc_13-Qb;######"},
};
constexpr int ascent_25 = 20, descent_25 = 6;
constexpr Packed glyphs_25[] = {
    {9, 0, 20, 0, 0, ""},
    {11, 3, 2, 5, 18, "JcWcbJcWcbJcWcbBcVcb:cLc`*c;c^#####JcWcbJcWcb"},
    {13, 2, 2, 9, 7, "J^%cOc3:aJ^%cOc3:aJ^%cOc3:aJ^%cK"},
    {21, 1, 2, 19, 18,
     "###(c#(b#####cK#cK####2`#:_####&c3&c3####R[#R[##)ccccccc^#Zccccccc3)ccccccc^##'c+(c+####ZS#ZS####2`#:`#"
     "#%cccccccb#:cccccccS%cccccccb###cK$cC####:_#B^####'c+(c#####ZS#cK###"},
    {17, 1, 1, 15, 23,
     "###:K#####%a######:K####7ZcXE##Jcccc`#BcccccC)c_:L6O#cb%a###*c^:K###Rccb=##%cccccC#%ZccccS##.Rccc;##%a8"
     "c`###:K:cKW4%a/c`*cccccc+cccccc;$?QcbN+###%a######:K#####%a######:K###"},
    {25, 0, 2, 25, 18,
     "#/Za3###B^###1ccc3##2`###(cC:c##(b+###c[#R_#%c;###2b#'cC#ZK###$cS#J`#J]####*c#(c;:_#####R`%c[)b#####$Zc"
     "c^'c+0ZW+#$IcM$cC:ccb+#####RS*c3Ja#####B^%cK#c]####2a#B`#)c+###(c+&cC#Z]###%c;#:a#*c####ZK##c^'cK###J]#"
     "#%cccT###2`###%QbD#"},
    {22, 1, 2, 20, 18,
     "##%QcX<#####Rccca####&cccca####(cb+-G####(ca#######&cc3######$cc^######9ccc3#*cS$cccc]#*cK)c`1cb+:c;:c["
     "$ccTRc+BcK#:ccca#BcS#%ccc^#:c^##Bcc;#)cc<%RccK#%ccccccc`##:ccccbcc;#$@ZbN#Zc^"},
    {8, 2, 2, 4, 7, "J^J^J^J^J^J^J^"},
    {11, 2, 1, 8, 22,
     "#&c]#2cK#Jc+$cb#&c_#)c]#2cS#BcK#Jc;#Rc;#Zc3#Zc3#Rc;#Jc;#BcK#2cS#)c]#&c_#$cb##Jc+#2cK#&c]"},
    {11, 2, 1, 8, 22,
     "Rb##:c;#)c]#&c_##cb##Rc3#BcC#:cS#*c[#*c]#)c^#)c^#*c]#*c[#:cS#BcC#Rc3#cb#&c_#)c]#:c;#Rb##"},
    {13, 0, 2, 13, 12, "##'`#####JC##(;'`#8%cUJER_%ZbbcV##Acc;##&Zc_##9cZZb;:b7`0c;N#JC%K##'`#####JC##"},
    {21, 2, 5, 17, 15,
     "###*b#######cS######*b#######cS######*b#######cS###:ccccccc5ccccccc^:ccccccc3###cS######*b#######cS####"
     "##*b#######cS######*b####"},
    {10, 1, 15, 6, 8, "&cc&cc&cc&cb(c^*cK:b#J^#"},
    {10, 1, 11, 9, 4, "Rccc(ccc[Rccc(ccc["},
    {10, 2, 15, 5, 5, "Bc_ccBc_ccBc["},
    {9, 0, 2, 10, 21,
     "###R[###cK##%c;##(c###*a###:_###J]###ZS##$cC##&c3##)b###2`###B^###R[###cK##%c;##'c+##)a###:_###J]###ZS#"
     "##"},
    {17, 1, 2, 16, 18,
     "##@ZbD###1cccc;##Zcccc^#'cc30cb#*c_#$cc;Bc]##ZcKJc[##Jc[Rc[##Jc]RcS##Jc]RcS##Jc]Rc[##Jc]Jc[##Jc[Bc]##Zc"
     "K*c_#$cc;'cc30cb##Zcccc^##1cccc;###@ZbD##"},
    {17, 2, 2, 14, 18,
     "$?Zc`##2ccc`##2ccc`##1F1c`####)c`####)c`####)c`####)c`####)c`####)c`####)c`####)c`####)c`####)c`####)c`"
     "##*ccccca*ccccca*ccccca"},
    {17, 1, 2, 15, 18,
     "$7QcX<##ccccc^#*ccccc^#cM+9ccK(+##2cc#####Rc[####(cc####$ccC####Rc]####Rc^###$Zc^###$Zc^###%ccT###%ccT#"
     "##&ccK####cccccc^*cccccc3cccccc^"},
    {17, 1, 2, 15, 18,
     "#7QcXD##Jcccc`#'ccccc_#@4#8ccS####)cc#####RcS####*ca####8cc+#$ccca+##2cccD##$cccc^####.cc]####&cc3####B"
     "c_8=+$Bcc-ccccccK:cccccC#6QcbN+#"},
    {17, 1, 2, 16, 18,
     "###)ccK####RccK###&cccK###2cccK###R`ZcK##'cSZcK##:c3ZcK##Z`#ZcK#(cS#ZcK#Bc+#ZcK#Z_##ZcK#Zcccccc^Zcccccc"
     "^Zcccccc^####ZcK#####ZcK#####ZcK#####ZcK#"},
    {17, 1, 2, 15, 18,
     "%ccccc^#:ccccc3%ccccc^#:c;####%c_#####:cYcW+#%ccccc;#:ccccc;%N,$Rcc+####Rc_####%ccC####2c`####%ccC####R"
     "c_1E,$Rcb$cccccc32ccccc3#.QZbN+#"},
    {17, 1, 2, 16, 18,
     "##%QcX<##$Zcccb##2ccccb##ZcV+-@#&cb+####)c_#####2c^IcW+#:cccccU#Bcccccc+BccD.ccCBcb##RcS:c`##Jc[*c`##Jc"
     "[(cb##RcS%ccD.cc;#Rccccb##'ccccL###7ZbM##"},
    {17, 1, 2, 15, 18,
     ":cccccc=cccccc_:cccccc;####Rc[####:c`####(cc+###$ccC####Jc]####*ca####&cc3####ZcK####Bc^####)cb####%cc;"
     "####RcS####2c_####'cc####$ccC###"},
    {17, 1, 2, 15, 18,
     "#%IcbN##(ccccb3'cccccb#ccU$Rc^*c_#$cc;Zc;#2c^'cb30cb#'ccccb+#&ccca##0ccccc3)cb3/cc-cc+#)c`Bc[##JcVcc+#)"
     "ca2cb3/ccCRccccc]#Rcccc^##7ZcX;#"},
    {17, 1, 2, 15, 18,
     "#$IcX;##&ccccT#&cccccS$ccL%ccCBc]#&cc/cb##:c_RcS#%ccGcc+#Bca:ca+:ccKRccccca$RcccccK#@ZX9c_####$cc3####R"
     "cS&M+%Rc^#Jcccc`#'cccc_##%QcX<##"},
    {10, 2, 6, 6, 14, "2c]2c]2c]2c]2c]############2c]2c]2c]2c]2c]"},
    {10, 1, 6, 7, 17, "$cc+2c]$cc+2c]$cc+##############2c]$cc+2c]%cc+BcC(cS#c^#:`##"},
    {21, 2, 5, 17, 14,
     "#######83#####8c^####7Zcc3##/Zcc`3#.Zcca3#$Rcca3###:ca3####%ccM#####0cccM####$AcccE####$IcccE####%Icc^#"
     "####%Rc3######&M"},
    {21, 2, 7, 17, 9, ":ccccccc5ccccccc^:ccccccc3#########################:ccccccc5ccccccc^:ccccccc3"},
    {21, 2, 5, 17, 14,
     "83######%c`3#####:ccW+####8cccV+####8cccN+####8cccL#####@cc3####%Rc^###%Rcca+#%Rcca<#%Jccb<##%ccbD####:"
     "cE#####%M#######"},
    {15, 1, 2, 12, 18,
     ":ccbM#:ccccK:cccc_8<+9ca###'cb###)ca###Rc^##(ccC##Rc`##%ccC##(cb###(ca###############(ca###(ca###(ca###"
     "(ca##"},
    {25, 1, 2, 23, 22,
     "###$@ZbN######0ccccb;####:cE+,AcK###Ba+###&cK##:`#####%cC#)a######&c+&c+#8cMZK)`#RK#:ccca#BS*^#)c3:cK$c"
     "-c+&cC#Ja#2]:[#J^#$cK$c-c#'c+#2a#:]:]#J^#$cK'b$c3&cC#Ja$Z;)`#)c3:cMZK#B]#:ccbccK##ZK#8cMZX3##%cC#######"
     "##&cL####@####&c`4#6Z_####$Rcccc`######/QcX;###"},
    {19, 0, 2, 20, 18,
     "###:ccK######Rcc[#####$ccc_#####&ccca#####)cacc+####2c]ZcC####JcSBcS####Zc;2c^###%cc+(ca###(ca#&cc###2c"
     "^##cc;##BccccccK##Zcccccc]#$ccccccc`#'cb###'cb#)c`###%cc3:c^####ZcKRc[####Rc["},
    {19, 2, 2, 16, 18,
     "RcccbN+#Rccccc^#Rcccccc+Rc[#0cc;Rc[#%ccCRc[#%cc;Rc[#0cc+Rccccc_#RcccccD#Rcccccb+Rc[#.ccKRc[##Jc]Rc[##Bc"
     "^Rc[##Jc^Rc[#.cc[RccccccCRccccca#RccccW3#"},
    {18, 1, 2, 16, 18,
     "##$HZbW3#$Rcccca#1ccccca$Zcb4$8a(ccK###/2cb#####Bc_#####Jc^#####Rc]#####Rc]#####Jc^#####Bc_#####2cb####"
     "#(ccK###/$Zcb4$8a#1ccccca#$Rcccca##$HZbW3"},
    {21, 2, 2, 18, 18,
     "RcccXF###Rccccc_##RccccccK#Rc[#/cca#Rc[##1cc;Rc[##%ccSRc[###Rc]Rc[###Jc^Rc[###Bc_Rc[###Bc_Rc[###Jc^Rc[#"
     "##Zc]Rc[##%ccSRc[##1cc;Rc[#/cca#RccccccK#Rccccc_##RcccXF###"},
    {17, 2, 2, 14, 18,
     "Rccccc[Rccccc[Rccccc[Rc[####Rc[####Rc[####Rc[####RcccccCRcccccCRcccccCRc[####Rc[####Rc[####Rc[####Rc[##"
     "##Rccccc^Rccccc^Rccccc^"},
    {17, 2, 2, 13, 18,
     "RcccccaccccccRcccccacc####Rc[###(cc####Rc[###(ccccc`RcccccHccccc`Rc[###(cc####Rc[###(cc####Rc[###(cc###"
     "#Rc[###(cc####"},
    {21, 1, 2, 18, 18,
     "##$@ZcXE##$Rccccc[#1cccccc[$Zcb<#.R[(ccK###$K2cb######Bc_######Jc^######Rc]##RccaRc]##RccaJc^##RccaBc_#"
     "##(ca2cb###(ca(ccK##(ca$Zcb<#1ca#1cccccca#$RcccccV##$HZcXE#"},
    {21, 2, 2, 17, 18,
     "Rc[##$ccHcc###2c`Rc[##$ccHcc###2c`Rc[##$ccHcc###2c`Rc[##$ccHccccccc`RcccccccHccccccc`Rc[##$ccHcc###2c`R"
     "c[##$ccHcc###2c`Rc[##$ccHcc###2c`Rc[##$ccHcc###2c`"},
    {9, 2, 2, 5, 18, "RcaccRcaccRcaccRcaccRcaccRcaccRcaccRcaccRcacc"},
    {9, -2, 2, 9, 23,
     "##Rc[#(cc##Rc[#(cc##Rc[#(cc##Rc[#(cc##Rc[#(cc##Rc[#(cc##Rc[#(cc##Rc[#(cc##Rc[#)cc#$ccS%Zc_Bccb&ccb+BbM#"
     "#"},
    {19, 2, 2, 19, 18,
     "Rc[##(ccK(cc##(ccK#Rc[#(ccC#(cc#(ccC##Rc[)ccC##(cc1ccC###RcbccC###(ccccC####RcccK####(cccc;####Rcccc;##"
     "#(ccBcc;###Rc[BccC##(cc#BccC##Rc[#:ccC#(cc##:ccC#Rc[##:ccC(cc###:ccC"},
    {16, 2, 2, 14, 18,
     "Rc[####Rc[####Rc[####Rc[####Rc[####Rc[####Rc[####Rc[####Rc[####Rc[####Rc[####Rc[####Rc[####Rc[####Rc[##"
     "##Rccccc^Rccccc^Rccccc^"},
    {25, 2, 2, 21, 18,
     "RccC###JccHccb###2cc`Rcc_##'cccHcccS##ccc`Rccc3#BcccHcaZa#)cQc`RcNc]%c^ZcHca*cCRb)c`RcKJc:c;ZcHca$cccS)"
     "c`RcK'cc_#ZcHca#2cc+)c`RcK#RcC#ZcHca#%c]#)c`RcK#####ZcHca#####)c`RcK#####ZcHca#####)c`"},
    {21, 2, 2, 17, 18,
     "Rcb###ZcHcc^##)c`RccS##ZcHccc;#)c`Rccb##ZcHccc_#)c`RcQc]#ZcHca:cC)c`RcKRc+ZcHca$ca)c`RcK(c]ZcHca#2cQc`R"
     "cK#JcccHca#$ccc`RcK#'cccHca##)cc`RcK##BccHca###Zc`"},
    {21, 1, 2, 19, 18,
     "##%IZbN####1ccccb;##:ccccccC#2ccD$Bcc;(cc;##2cc$ccK###Jc_Bc_###$ccOcc3###*cbRc]####Zcacc+###)ccJc^####c"
     "cVcc;###2ca2ca###'cc;Rc_##$cc[$cc`+.Zc_#%cccccc`##$ZccccV####7YcX;##"},
    {18, 2, 2, 16, 18,
     "RcccbN+#Rccccc^#Rcccccc3Rc[#0ccSRc[##Zc]Rc[##Jc^Rc[##Jc^Rc[##Zc]Rc[#0ccSRcccccc3Rccccc^#RcccbN+#Rc[####"
     "#Rc[#####Rc[#####Rc[#####Rc[#####Rc[#####"},
    {21, 1, 2, 19, 22,
     "##%IZbN####1ccccb;##:ccccccC#2ccD$Bcc;(cc;##2cc$ccK###Jc_Bc_###$ccOcc3###*cbRc]####Zcacc+###)ccJc]####c"
     "cVcc;###2ca2ca###'cc;Rc^##$cc[$cc`+.Zc_#%cccccc`##%Zcccc_####7Ycc]#######JcS#######RcC######$Zc;######%"
     "cc+"},
    {19, 2, 2, 17, 18,
     "RcccbN##(cccccb+#Rcccccb#(cc#%Zc^#Rc[#&cc;(cc##:c^#Rc[#&cc+(cc#%ZcK#RcccccK#(cccccC##RcccccC#(cc#9cc;#R"
     "c[#1cc+(cc##Bc`#Rc[##Zc](cc##&ccCRc[##*cc(cc###Bc`"},
    {18, 1, 2, 16, 18,
     "#$IcbX=##Bccccc#&cccccc#)cb4$@c#2c]###0#2c]#####2ca+####)ccbN3##$cccccD##0ccccc+##.QcccK####.cc[#####Bc"
     "](3###Bc]*b=+.ccS*cccccc;*ccccc_##7QcbO+#"},
    {17, 0, 2, 17, 18,
     "ZcccccccYcccccccbZcccccccS##)cb######ZcS#####)cb######ZcS#####)cb######ZcS#####)cb######ZcS#####)cb####"
     "##ZcS#####)cb######ZcS#####)cb######ZcS#####)cb###"},
    {20, 2, 2, 16, 18,
     "Rc[##(ccRc[##(ccRc[##(ccRc[##(ccRc[##(ccRc[##(ccRc[##(ccRc[##(ccRc[##(ccRc[##(ccRc[##(ccRc[##(ccJc]##)c"
     "b:c_##2c`)cc<%Zc^&ccccccK#Bcccc`##$@ZbW+#"},
    {19, 0, 2, 20, 18,
     "Rc[####Rc[:c_####ccK)ca###&cc3'cc+##(cb#$cc;##2c`##ZcS##Bc]##Bc]##ZcK##2c`#%cc;##(cb#'cc###%cc3)ca####Z"
     "cK:c^####Jc[RcS####2c_ccC####)cccc+####&ccca#####$ccc_######Rcc[######:ccK###"},
    {28, 0, 2, 27, 18,
     "2c_##'cc+##ZcKZcC##Zc_##*c_(cb##*ccK#%cc+Bc]#%ccb##Jc[$cc3#Jbc]#(ca#)c`#)cBc;#cc;#RcS#c^R`#:c^#&cc#:c&c"
     "S&cc##2c^'cK:c+RcK##ccCR`#c^*c`##(ca*c3(cDcc3##Bc^c[#BbBc[##%ccRb#%cacb###*cccC#*cccC###Rcc^##Rcc^###'c"
     "cc+#'ccc+###:ccS##:ccS####cc`###cc`##"},
    {19, 0, 2, 19, 18,
     ")cb###(cc+:ca##&cc;#Jc^#$ccS##Zc]#Rc]##$ccKBc_###&ccJca####)cccc+####2ccc3#####BccK#####(ccb#####&ccc`#"
     "###$cccc^####Rc^ZcT###Bc_%ccK##2ca#'cc;#)cc+#)cc+'cc;##2ca$ccK###Bc_"},
    {18, -1, 2, 20, 18,
     ")cc3##$ccT%ccS##(cc3#Jc`##Bca##)cc+$ccT##%ccS(cc3###Jc_Bca####)ccccT####%cccc3#####Jcca######)cc]######"
     "%cc;######%cc;######%cc;######%cc;######%cc;######%cc;######%cc;######%cc;###"},
    {18, 1, 2, 16, 18,
     "JccccccaJccccccaJcccccca####'cc^####:cc;###$cc`####)ccS####Rcb+###'cc^####:cc;###$cc`####1ccK####Rcb+##"
     "#'cc]####Bcc3####ZcccccccZcccccccZccccccc"},
    {11, 2, 1, 8, 22,
     "ZccaZccaZccaZc3#Zc3#Zc3#Zc3#Zc3#Zc3#Zc3#Zc3#Zc3#Zc3#Zc3#Zc3#Zc3#Zc3#Zc3#Zc3#ZccaZccaZcca"},
    {9, 0, 2, 10, 21,
     "ZS###J]###:_###)a###'c+##%c;###cK###R[###B^###2`###)b###&c3##$cC###ZS###J]###:_###*a###(c###%c;###cK###"
     "R["},
    {11, 1, 1, 9, 22,
     ":ccc5ccc^:ccc3#)c^##Zc3#)c^##Zc3#)c^##Zc3#)c^##Zc3#)c^##Zc3#)c^##Zc3#)c^##Zc3#)c^##Zc5ccc^:ccc5ccc^"},
    {21, 2, 2, 17, 7, "###Bc;#####Bcc;####:ccc3###:cVZc3##:cK$Rc+#1c;##Jb+1b3###9b+"},
    {13, 0, 24, 13, 2, "ccccccJccccc`"},
    {13, 1, 0, 8, 5, "Bb##'cC##J^##(b+##RK"},
    {17, 1, 6, 14, 14,
     "#7YcX<#(ccccc3(ccccc](E+$Bc`####'ca#7Zcccb(cccccbBcccccbZcU#'cbZcC#)cbZcT$RcbJcccccb)cccWcb#AcW'cb"},
    {18, 2, 1, 15, 19,
     "Zc;####)c_#####Zc;####)c_#####Zc;####)c_&Za;#ZcIcccK)ccccccCZca+9cc1cc##:c_ZcK##ZcIc`##)caZcC##ZcQca##)"
     "c`Zc[#%ccAccL%Zc]Zccccc`)c`Zcca#Zc;AcN##"},
    {15, 1, 6, 13, 14,
     "#$@ZbE#&cccc]&ccccc,cc_+-LJc^###(cb####ZcK###)ca####RcS###'cc3###2cc<$8+Bcccc]#Bcccc+#.QcW3"},
    {18, 1, 1, 15, 19,
     "#####JcS####'cb#####JcS####'cb#####JcS#AcV'cb#RccbRcSJcccccb2cb+1ccWcc+#2cbRcS##RcYca##(cbZcK##RcXcb##("
     "cbJc]#$ccTccT$Zcb'ccccccS(cccXcb#&Zb;JcS"},
    {17, 1, 6, 15, 14,
     "#$HZbD##&cccc_#&ccccc_$ccD$Jc]JcK##Zc@ccccccaZccccccQccccccaZcK####'cc+####2cb4$-I+Bccccc]#Bccccc+#.QcY"
     "F+"},
    {11, 0, 1, 12, 19,
     "##8Zc]#'ccc]#2ccc]#:c^###:c[##JccccKJccccKJccccK#:c[###:c[###:c[###:c[###:c[###:c[###:c[###:c[###:c[###"
     ":c[###:c[##"},
    {18, 1, 6, 15, 19,
     "#&Zb;JcS(cccXcb'ccccccTccU$ZcbJc]#$ccXcb##(cbZcK##RcYca##(cbRcS##RcWcc+#2cb2cb+1ccSJcccccb#RccbRcS#AcV("
     "ca####$ccC0<+-Zc^$ccccc`#2cccc`##7QcX<##"},
    {18, 2, 1, 14, 19,
     "Zc;####Zc;####Zc;####Zc;####Zc;####Zc;AcV#ZcIcccCZccccc^Zca+Bc`Zc]#(caZcK#'cbZcC#'cbZc;#'cbZc;#'cbZc;#'"
     "cbZc;#'cbZc;#'cbZc;#'cbZc;#'cb"},
    {9, 2, 1, 5, 19, "ZcAc_Zc;####)c_ZcAc_ZcAc_ZcAc_ZcAc_ZcAc_ZcAc_Zc;"},
    {9, -1, 1, 8, 24,
     "#)c_#)c_#)c_#########)c_#)c_#)c_#)c_#)c_#)c_#)c_#)c_#)c_#)c_#)c_#)c_#)c_#)c_#*c_$Jc]ZccSZcc+ZbD#"},
    {17, 2, 1, 16, 19,
     "Zc;#####Zc;#####Zc;#####Zc;#####Zc;#####Zc;#1cb+Zc;$ZcT#Zc;1cb+#Zc<ZcT##ZcIcb+##ZcccS###Zccc+###ZcccT##"
     "#ZcRcb###Zc=ccK##Zc;Bca##Zc;&ccK#Zc;#Jca#Zc;#'ccC"},
    {9, 2, 1, 5, 19, "ZcAc_ZcAc_ZcAc_ZcAc_ZcAc_ZcAc_ZcAc_ZcAc_ZcAc_Zc;"},
    {26, 2, 6, 23, 14,
     "Zc;IbD#8ZW#)c`Zcc]Bccb#Zccccccccc`)ccL0cc`$ZcSZc[#:cb#&cc)c`#$cc;#:c[ZcC#2c^#%cc1c_#$cc3#:c]Zc;#2c^#%cc"
     "1c_#$cc3#:c]Zc;#2c^#%cc1c_#$cc3#:c]Zc;#2c^#%cc1c_#$cc3#:c]"},
    {18, 2, 6, 14, 14,
     "Zc;AcV#ZcIcccCZccccc^Zca+Bc`Zc]#(caZcK#'cbZcC#'cbZc;#'cbZc;#'cbZc;#'cbZc;#'cbZc;#'cbZc;#'cbZc;#'cb"},
    {17, 1, 6, 16, 14,
     "#$HZbD###BccccC#&ccccca#2cb30cc3Jc]##ccKZcS##Jc[ZcK##Jc[ZcK##Jc[ZcS##Jc[Jc]##ccK2cb30cc3&ccccca##BccccC"
     "##$IcbD##"},
    {18, 2, 6, 15, 19,
     "Zc;AcN#)c`Zcca#Zccccc`)ccL%Zc]Zc[#%ccAca##)c`ZcC##ZcQc`##)caZcK##ZcIcc##:c_Zca+9cc1ccccccCZcIcccK)c_&Za"
     ";#Zc;####)c_#####Zc;####)c_#####Zc;#####"},
    {18, 1, 6, 15, 19,
     "#&Zb;JcS(cccXcb'ccccccTccT$ZcbJc]#$ccXcb##(cbZcK##RcYca##(cbRcS##RcWcc+#2cb2cb+1ccSJcccccb#RccbRcS#AcV'"
     "cb#####JcS####'cb#####JcS####'cb#####JcS"},
    {12, 2, 6, 11, 14, "Zc;8c9c_Bc^ZcRcc9ccU$=Zc^##)ca###ZcC##)c_###Zc;##)c_###Zc;##)c_###Zc;##)c_###"},
    {15, 1, 6, 13, 14,
     "#8ZbW<#RccccKBcccca'c`+,@KRc3###'ccXE+#2ccccM#0cccc]#$6IccC###'ca@=+$ZcGccccc^Jcccc`#7QcbE#"},
    {12, 0, 2, 12, 18,
     "#JcS###JcS###JcS###JcS##Rcccc_Rcccc_Rcccc_#JcS###JcS###JcS###JcS###JcS###JcS###BcS###Bc^###2ccc[#(ccc[#"
     "#Icc["},
    {18, 1, 6, 15, 14,
     "*c^##RcKcc3#(ca*c^##RcKcc3#(ca*c^##RcKcc3#(ca*c^##RcKcc3#(ca*c_##ZcKccC#:ca)cc39ccKBccccca#ZccaRcK#IcM("
     "ca"},
    {16, 0, 6, 16, 14,
     "BcS##'ca2c^##*c^(c`##:c[%cc##RcC#Zc3#cc+#JcK&cb##2c[(c_##(c_2c]##&caBcK###ccZc3###Jccb####2cc`####)cc]#"
     "###&ccK##"},
    {23, 0, 6, 23, 14,
     "*c^#&c_#$cc+Rc;#JcK#BcS&ca#)cc#'c`#:c[$cc^#Zc3#cc+:bc;2c]#(c_'cBa%cb##BcKZ[c[JcC#$cb*b(c1c^##*c_cCB_cc#"
     "##RcZ^%cccK##&ccc+*cc`###2ccS#Rcc3###Zc`#'cc[###(cc;#:ca##"},
    {16, 0, 6, 16, 14,
     "1c`##Bc]%cc3$cc;#JcS)ca##)c`JcT##$cccc3###Bcc`####(ccS####)cc]####Rcca###&ccZcC##2c_:c^##ZcK'cb#'cc+#Zc"
     "K:c^##:c_"},
    {16, 0, 6, 16, 19,
     "BcS##(ca2c^##*c^'c`##:cS$cc##Rc;#Rc;#cc+#BcS%ca##)c](c^##'c`*cS##$cc:cC###RcZc+###:cca####)cc_####&cc[#"
     "####ccC#####Rc+####%cb####Jcc^####JccC####JcV####"},
    {15, 1, 6, 13, 14,
     "Jccccc?ccccc_Jccccc;##$ccT##$Zc]##$Zc^###Zc^###Rc_###Rc_###Rc`###Jc`###)ccccc_ZcccccAccccc_"},
    {18, 3, 1, 12, 23,
     "##$Ica##2cca##Rcca##ccL###cc+##$cc+##$cc+##$cc###%cc###9cb##Zcc^##Zcc3##Zcc_###9cb###%cc###$cc###$cc+##"
     "$cc+###cc+###ccL###Rcca##2cca##$Ica"},
    {9, 3, 1, 3, 25, "ZbcZbcZbcZbcZbcZbcZbcZbcZbcZbcZbcZbcZ["},
    {18, 3, 1, 12, 23,
     "ZcW+##ZccT##Zcc`###1ca###&cb###%cb###%cb###%cb###%cc+###ccL###Bcca##&cca##Jcca#$ccL##%cc+##%cb###%cb###"
     "%cb###&cb###1ca##Zcc`##ZccT##ZcW+##"},
    {21, 2, 9, 17, 6, "#########$Qb<###E'ccca3%Z5ccccccc^:M$8ccc`%3##$IbL#"},
};
// clang-format on

}  // namespace sl::image
